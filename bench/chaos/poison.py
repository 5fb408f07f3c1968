"""Scenario: a tenth of the jobs crash their pool process, hang or exhaust memory.

They become dead letters with that reason, and all other jobs succeed.
"""

import asyncio
import hashlib
import time
from dataclasses import replace
from pathlib import Path

from bench.chaos.client import Client, client, orders, photographs
from bench.chaos.event_log import EventLog
from bench.chaos.faults import FAULTS, VARIABLE, Fault
from bench.chaos.listeners import stream_listener
from bench.chaos.outcome import Outcome
from bench.chaos.suite import suite
from contracts.errors import Code
from contracts.fields import BlobKey
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
    *healthy, first, second, third = photographs(13, 800, 600)
    faulty = {Fault.CRASH: first, Fault.HANG: second, Fault.EXHAUST_MEMORY: third}
    faults = {hashlib.sha256(data).hexdigest(): fault for fault, data in faulty.items()}
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
        await _assert_all_slots_work(http, stream, images)
        await running.assert_no_open_jobs()
        return Outcome(
            "poison",
            jobs=jobs,
            kills=sum(worker.output().count("pool process died") for worker in running.workers),
            stall=stream.longest_stall(),
            seconds=seconds,
            notes={"dead letters": len(letters)},
        )


async def _assert_all_slots_work(http: Client, stream: EventLog, images: list[BlobKey]) -> None:
    """Raise AssertionError unless each worker renders in all of its slots at some moment."""
    full: set[str] = set()
    seen: set[str] = set()
    until = time.monotonic() + 60
    # Workers report once a second, and may end some jobs between two reports.
    while len(full) < WORKERS:
        assert time.monotonic() < until, f"busy slots of workers, as they were reported: {seen}"
        new = orders(images, 4 * WORKERS * SLOTS, width=400, variants=20)
        jobs = await http.submit_all(new)
        ended = asyncio.create_task(stream.wait_for_ends(jobs, seconds=60))
        while not ended.done():
            busy = await http.busy()
            seen.add(str(busy))
            full.update(name for name, slots in busy.items() if slots == SLOTS)
            await asyncio.wait([ended], timeout=0.1)
        await ended
        stream.assert_one_end(jobs)
