"""Scenario: kill Redis again and again; every accepted job is done once."""

import asyncio
import time
from pathlib import Path

from bench.chaos.client import client, orders, photographs
from bench.chaos.listeners import stream_listener
from bench.chaos.outcome import Outcome
from bench.chaos.suite import suite

DOWNTIME = 1.0  # seconds until Redis is started again


async def redis_is_killed(folder: Path, *, jobs: int, kills: int, every: float) -> Outcome:
    """Kill Redis `kills` times, every `every` seconds, while jobs are submitted and rendered.

    Raises AssertionError unless every accepted job succeeds once with the right bytes.
    """
    async with (
        suite(folder, workers=2, env={"DARKROOM_SLOTS": "1"}) as running,
        client(running.gateway.url) as http,
        stream_listener(running.redis) as stream,
    ):
        images = [await http.upload(image) for image in photographs(10, 1200, 900)]
        wanted = orders(images, jobs, width=900)
        started = time.monotonic()
        # Some orders are kept for each kill, so that it interrupts submissions.
        parts = [wanted[part :: kills + 1] for part in range(kills + 1)]
        accepted = await http.submit_all(parts[0])
        for part in parts[1:]:
            await asyncio.sleep(every)
            submitting = asyncio.create_task(http.submit_all(part))
            await asyncio.sleep(0.05)
            running.store.kill()
            await asyncio.sleep(DOWNTIME)
            await asyncio.to_thread(running.store.start)
            accepted |= await submitting
        assert len(stream.ended()) < jobs, "jobs were still open at the last kill"
        await stream.wait_for_ends(accepted, seconds=60 + jobs)
        stream.assert_one_end(accepted)
        assert stream.jobs == accepted.keys(), "a key that was used twice made one job"
        await http.assert_right_results(accepted)
        await running.assert_no_open_jobs()
        return Outcome(
            "Redis dies",
            jobs=jobs,
            kills=kills,
            stall=stream.longest_stall(),
            seconds=stream.seconds_since(started),
            notes={"requests refused or cut off": http.attempts - jobs},
        )
