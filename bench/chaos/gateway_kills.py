"""The gateway is killed while clients listen, and they hear of everything once, in order."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

from bench.chaos.client import client, orders, photographs
from bench.chaos.listeners import following, hearing, watching
from bench.chaos.outcome import Outcome
from bench.chaos.suite import suite
from services.runtime.jobs.records import events_of


async def gateway_dies(
    folder: Path, *, jobs: int, listeners: int, kills: int, every: float
) -> Outcome:
    """One WebSocket for all of the jobs, and Server-Sent Events for so many of them."""
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(suite(folder, workers=1, env={}))
        url = running.gateway.url
        http = await stack.enter_async_context(client(url))
        stream = await stack.enter_async_context(hearing(running.redis))
        images = [await http.upload(image) for image in photographs(10, 800, 600)]
        started = time.monotonic()
        accepted = await http.hand_in(orders(images, jobs, width=600, variants=3))
        pushed = await stack.enter_async_context(watching(url, accepted))
        followed = {
            job: await stack.enter_async_context(following(url, job))
            for job in list(accepted)[:: max(1, jobs // listeners)]
        }
        for _ in range(kills):
            await asyncio.sleep(every)
            running.gateway.kill()
            await running.gateway.start()
        assert len(stream.ended()) < jobs, "the last kill met work, too"
        await stream.until_ended(accepted, seconds=60 + jobs)
        await pushed.until_ended(accepted, seconds=10)
        for job, log in followed.items():
            await log.until_ended([job], seconds=10)
        stream.assert_once(accepted)
        for job in accepted:
            told = [entry.decode() for entry, _ in await running.redis.xrange(events_of(job))]
            assert pushed.ids(job) == told, f"over WebSocket: {pushed.ids(job)}, not {told}"
            if job in followed:
                assert followed[job].ids(job) == told, f"over SSE: {followed[job].ids(job)}"
        return Outcome(
            "the gateway dies",
            jobs=jobs,
            kills=kills,
            stall=stream.longest_stall(),
            seconds=stream.took(started),
            notes={
                "events over WebSocket": len(pushed.events),
                "events over SSE": sum(len(log.events) for log in followed.values()),
                "connections": pushed.connections + sum(o.connections for o in followed.values()),
            },
        )
