"""Scenario: a tenth of the jobs crash their pool process, hang or exhaust memory.

They become dead letters with that reason, all other jobs succeed, and no slot is lost.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.chaos.client import Client, Order, client, orders, photographs
from bench.chaos.event_log import EventLog
from bench.chaos.faults import FAULTS, VARIABLE, Fault
from bench.chaos.gate import number_running, number_waiting, open_gate
from bench.chaos.listeners import stream_listener
from bench.chaos.outcome import Outcome
from bench.chaos.suite import suite
from contracts.errors import Code
from contracts.jobs import JobState

WORKERS, SLOTS = 2, 2

REASONS = {
    Fault.CRASH: (Code.WORKER_CRASHED, "died"),
    Fault.HANG: (Code.DEADLINE_EXCEEDED, "longer"),
    Fault.EXHAUST_MEMORY: (Code.OUT_OF_MEMORY, "memory"),
}
"""The dead letter's code, and a word in its detail."""


async def poison_jobs_become_dead_letters(
    folder: Path, *, jobs: int, render_timeout: float
) -> Outcome:
    """Submit jobs, every tenth of them with one of the three faults in turn.

    `render_timeout` is in seconds; the start of a new pool process counts. Raises AssertionError
    unless every job ends as it should and all slots work afterwards.
    """
    *healthy, first, second, third, fourth = photographs(14, 800, 600)
    faulty = {Fault.CRASH: first, Fault.HANG: second, Fault.EXHAUST_MEMORY: third}
    images_by_fault = {**faulty, Fault.WAIT: fourth}
    faults = {hashlib.sha256(data).hexdigest(): fault for fault, data in images_by_fault.items()}
    env = {
        VARIABLE: FAULTS.dump_json(faults).decode(),
        "DARKROOM_RENDER_TIMEOUT": str(render_timeout),
        "DARKROOM_JOB_ATTEMPTS": "2",
        "DARKROOM_RETRY_BASE": "0.5",
        "DARKROOM_PROCESS_MEMORY": "1024",
        "DARKROOM_SLOTS": str(SLOTS),
    }
    async with (
        suite(folder, workers=WORKERS, env=env, app="bench.chaos.faulty_imaging:app") as running,
        client(running.gateway.url) as http,
        stream_listener(running.redis) as stream,
    ):
        images = [await http.upload(image) for image in healthy]
        faulty_images = [await http.upload(image) for image in faulty.values()]
        wanted = orders(images, jobs, width=600)
        for turn, place in enumerate(range(0, jobs, 10)):
            image = faulty_images[turn % len(faulty_images)]
            wanted[place] = replace(wanted[place], image=image)
        started = time.monotonic()
        accepted = await http.submit_all(wanted)
        await stream.wait_for_ends(accepted, seconds=60 + jobs)
        seconds = stream.seconds_since(started)

        poison = {job: faults[o.image] for job, o in accepted.items() if o.image in faults}
        sound = {job: order for job, order in accepted.items() if job not in poison}
        stream.assert_one_end(sound)
        stream.assert_one_end(poison, JobState.FAILED)
        letters = await http.dead_letters(jobs)
        assert letters.keys() == poison.keys()
        for job, fault in poison.items():
            code, word = REASONS[fault]
            assert letters[job].code is code, f"{fault}: {letters[job]}"
            assert word in letters[job].detail, f"{fault}: {letters[job]}"
        await http.assert_right_results(sound)
        waiting = orders([await http.upload(fourth)], WORKERS * SLOTS, width=600)
        await _assert_all_run(http, stream, running.redis, waiting, seconds=render_timeout)
        await running.assert_no_open_jobs()
        return Outcome(
            "poison",
            jobs=jobs,
            kills=sum(worker.output().count("pool process died") for worker in running.workers),
            stall=stream.longest_stall(),
            seconds=seconds,
            notes={"dead letters": len(letters)},
        )


async def _assert_all_run(
    http: Client, stream: EventLog, redis: Any, waiting: Sequence[Order], *, seconds: float
) -> None:
    """Raise AssertionError unless the workers do all these orders, and all at the same time.

    There is one order for each slot, and its render waits at the gate. `seconds` is the timeout of
    a render: a render that is stopped then is tried again alone, which may hide a lost slot.
    """
    slots = len(waiting)
    seen = await _counted(partial(number_running, redis), slots, seconds=30)
    assert slots in seen, f"numbers of pool processes seen, without {slots}: {seen}"
    jobs = await http.submit_all(waiting)
    seen = await _counted(partial(number_waiting, redis), slots, seconds=seconds)
    assert slots in seen, f"numbers of renders at the same time, without {slots}: {seen}"
    await open_gate(redis)
    await stream.wait_for_ends(jobs, seconds=60)
    stream.assert_one_end(jobs)


async def _counted(count: Callable[[], Awaitable[int]], wanted: int, *, seconds: float) -> set[int]:
    """Call `count` until it returns `wanted`, for `seconds` at most; return all its results."""
    until, seen = time.monotonic() + seconds, set[int]()
    while wanted not in seen and time.monotonic() < until:
        await asyncio.sleep(0.05)
        seen.add(await count())
    return seen
