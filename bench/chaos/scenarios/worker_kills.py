"""Scenario: kill workers every two seconds; every job is done once, with the right bytes."""

import asyncio
import time
from collections.abc import Collection
from itertools import cycle
from pathlib import Path

from bench.chaos.client import client, orders, photographs
from bench.chaos.event_log import EventLog
from bench.chaos.listeners import stream_listener, websocket_listener
from bench.chaos.outcome import Outcome
from bench.chaos.suite import KillableService, suite
from contracts.jobs import JobState

LONGEST_STALL = 10.0  # seconds


async def workers_are_killed(folder: Path, *, jobs: int, every: float) -> Outcome:
    """Kill one of two workers with one slot each, in turn, every `every` seconds.

    Raises AssertionError unless every job succeeds once with the right bytes, without a stall of
    `LONGEST_STALL` seconds.
    """
    # Many attempts: with so many jobs and kills, an innocent job may meet several kills in a row.
    env = {"DARKROOM_SLOTS": "1", "DARKROOM_JOB_ATTEMPTS": "20"}
    async with (
        suite(folder, workers=2, env=env) as running,
        client(running.gateway.url) as http,
        stream_listener(running.redis) as stream,
    ):
        images = [await http.upload(image) for image in photographs(10, 1200, 900)]
        started = time.monotonic()
        accepted = await http.submit_all(orders(images, jobs, width=900))
        async with websocket_listener(running.gateway.url, accepted) as pushed:
            kills = await _kill_until_ended(running.workers, every, stream, accepted)
            await pushed.wait_for_ends(accepted, seconds=10)
        stream.assert_one_end(accepted)
        pushed.assert_one_end(accepted)
        assert stream.longest_stall() < LONGEST_STALL, f"{stream.longest_stall():.1f} s"
        await http.assert_right_results(accepted)
        await running.assert_no_open_jobs()
        begun = sum(event.state is JobState.RUNNING for event in stream.events)
        return Outcome(
            "workers die",
            jobs=jobs,
            kills=kills,
            stall=stream.longest_stall(),
            seconds=stream.seconds_since(started),
            notes={"jobs taken over": begun - jobs},
        )


async def _kill_until_ended(
    workers: Collection[KillableService], every: float, stream: EventLog, jobs: Collection[str]
) -> int:
    """Kill workers in turn until all jobs have ended; return the number of kills.

    A worker is killed only once the previous one is ready again, so that one is always alive.
    """
    kills = 0
    limit = 10 * LONGEST_STALL + len(jobs)
    ended = asyncio.create_task(stream.wait_for_ends(jobs, seconds=limit))
    pause = asyncio.create_task(asyncio.sleep(every))
    for worker in cycle(workers):
        await asyncio.wait({pause, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            pause.cancel()
            break
        # Alone, a worker leaves pool processes that may still write; a dead host leaves none.
        worker.kill(alone=kills % 4 < 2)
        kills += 1
        pause = asyncio.create_task(asyncio.sleep(every))
        await worker.start()
    await ended
    return kills
