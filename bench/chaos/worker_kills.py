"""Workers are killed every two seconds, and every job is done, once, and right."""

import asyncio
import time
from collections.abc import Collection
from itertools import cycle
from pathlib import Path

from bench.chaos.client import client, orders, photographs
from bench.chaos.listeners import Log, hearing, watching
from bench.chaos.outcome import Outcome
from bench.chaos.suite import Mortal, suite
from contracts.jobs import JobState

LONGEST_STALL = 10.0  # seconds


async def workers_die(folder: Path, *, jobs: int, every: float) -> Outcome:
    """Two workers of one slot; every so many seconds one of them, in turns, is killed."""
    # Few jobs meet three kills in a row, but with so many of both some may: that is no poison.
    env = {"DARKROOM_SLOTS": "1", "DARKROOM_JOB_ATTEMPTS": "20"}
    async with (
        suite(folder, workers=2, env=env) as running,
        client(running.gateway.url) as http,
        hearing(running.redis) as stream,
    ):
        images = [await http.upload(image) for image in photographs(10, 1200, 900)]
        started = time.monotonic()
        accepted = await http.hand_in(orders(images, jobs, width=900))
        async with watching(running.gateway.url, accepted) as pushed:
            kills = await _kill_until_ended(running.workers, every, stream, accepted)
            await pushed.until_ended(accepted, seconds=10)
        stream.assert_once(accepted)
        pushed.assert_once(accepted)
        assert stream.longest_stall() < LONGEST_STALL, f"{stream.longest_stall():.1f} s"
        await http.assert_right(accepted)
        await running.assert_nothing_is_left()
        begun = sum(event.state is JobState.RUNNING for event in stream.events)
        return Outcome(
            "workers die",
            jobs=jobs,
            kills=kills,
            stall=stream.longest_stall(),
            seconds=stream.took(started),
            notes={"jobs taken over": begun - jobs},
        )


async def _kill_until_ended(
    workers: Collection[Mortal], every: float, stream: Log, jobs: Collection[str]
) -> int:
    """Returns when the jobs have ended: how many workers were killed until then.

    The next one dies no sooner than the last one is back, so that there is always one.
    """
    kills = 0
    ended = asyncio.create_task(stream.until_ended(jobs, seconds=10 * LONGEST_STALL + len(jobs)))
    pause = asyncio.create_task(asyncio.sleep(every))
    for worker in cycle(workers):
        await asyncio.wait({pause, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            pause.cancel()
            break
        # Pool processes that outlive their worker may still write; a whole host's can't.
        worker.kill(alone=kills % 4 < 2)
        kills += 1
        pause = asyncio.create_task(asyncio.sleep(every))
        await worker.start()
    await ended
    return kills
