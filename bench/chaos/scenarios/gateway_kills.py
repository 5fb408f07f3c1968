"""Scenario: kill the gateway while clients listen; they receive every event once, in order."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

from bench.chaos.client import client, orders, photographs
from bench.chaos.listeners import sse_listener, stream_listener, websocket_listener
from bench.chaos.outcome import Outcome
from bench.chaos.suite import suite
from services.runtime.redis import keys


async def gateway_is_killed(
    folder: Path, *, jobs: int, listeners: int, kills: int, every: float
) -> Outcome:
    """Kill the gateway `kills` times, `every` seconds after its last start.

    One WebSocket listens to all jobs, and `listeners` clients to one job each over Server-Sent
    Events. Raises AssertionError when a listener misses, repeats or reorders an event.
    """
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(suite(folder, workers=1, env={}))
        url = running.gateway.url
        http = await stack.enter_async_context(client(url))
        stream = await stack.enter_async_context(stream_listener(running.redis))
        images = [await http.upload(image) for image in photographs(10, 800, 600)]
        started = time.monotonic()
        accepted = await http.submit_all(orders(images, jobs, width=600, variants=3))
        pushed = await stack.enter_async_context(websocket_listener(url, accepted))
        followed = {
            job: await stack.enter_async_context(sse_listener(url, job))
            for job in list(accepted)[:: max(1, jobs // listeners)]
        }
        for _ in range(kills):
            await asyncio.sleep(every)
            running.gateway.kill()
            # The start takes seconds, in which the worker goes on.
            ended = len(stream.ended())
            await running.gateway.start()
        assert ended < jobs, "no job was open at the last kill"
        await stream.wait_for_ends(accepted, seconds=60 + jobs)
        await pushed.wait_for_ends(accepted, seconds=10)
        for job, log in followed.items():
            await log.wait_for_ends([job], seconds=10)
        stream.assert_one_end(accepted)
        for job in accepted:
            texts = await running.redis.lrange(keys.job_events(job), 0, -1)
            stored = [text.decode().partition(" ")[0] for text in texts]
            assert pushed.ids(job) == stored, f"over WebSocket: {pushed.ids(job)}, not {stored}"
            if job in followed:
                assert followed[job].ids(job) == stored, f"over SSE: {followed[job].ids(job)}"
        return Outcome(
            "the gateway dies",
            jobs=jobs,
            kills=kills,
            stall=stream.longest_stall(),
            seconds=stream.seconds_since(started),
            notes={
                "events over WebSocket": len(pushed.events),
                "events over SSE": sum(len(log.events) for log in followed.values()),
                "connections": pushed.connections + sum(o.connections for o in followed.values()),
            },
        )
