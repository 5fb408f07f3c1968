"""Redis is killed again and again, and every job that was accepted is done, once."""

import asyncio
import time
from pathlib import Path

from bench.chaos.client import client, orders, photographs
from bench.chaos.listeners import hearing
from bench.chaos.outcome import Outcome
from bench.chaos.suite import suite

AWAY = 1.0  # seconds until it is started again


async def redis_dies(folder: Path, *, jobs: int, kills: int, every: float) -> Outcome:
    """Jobs are handed in and worked on while Redis is killed every so many seconds."""
    async with (
        suite(folder, workers=2, env={"DARKROOM_SLOTS": "1"}) as running,
        client(running.gateway.url) as http,
        hearing(running.redis) as stream,
    ):
        images = [await http.upload(image) for image in photographs(10, 1200, 900)]
        wanted = orders(images, jobs, width=900)
        started = time.monotonic()
        # A part at a time, so that every kill meets jobs that are just handed in.
        parts = [wanted[part :: kills + 1] for part in range(kills + 1)]
        accepted = await http.hand_in(parts[0])
        for part in parts[1:]:
            await asyncio.sleep(every)
            handing_in = asyncio.create_task(http.hand_in(part))
            await asyncio.sleep(0.05)
            running.store.kill()
            await asyncio.sleep(AWAY)
            await asyncio.to_thread(running.store.start)
            accepted |= await handing_in
        assert len(stream.ended()) < jobs, "the last kill met work, too"
        await stream.until_ended(accepted, seconds=60 + jobs)
        stream.assert_once(accepted)
        assert stream.jobs == accepted.keys(), "a key that was used twice made one job"
        await http.assert_right(accepted)
        await running.assert_nothing_is_left()
        return Outcome(
            "Redis dies",
            jobs=jobs,
            kills=kills,
            stall=stream.longest_stall(),
            seconds=stream.took(started),
            notes={"requests refused or cut off": http.tries - jobs},
        )
