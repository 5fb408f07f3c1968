"""A tenth of the jobs are poison: they are put aside with a reason, and all others are done."""

import hashlib
import time
from dataclasses import replace
from pathlib import Path

from bench.chaos.client import Client, client, orders, photographs
from bench.chaos.faults import KINDS, VARIABLE, Poison
from bench.chaos.listeners import Log, hearing
from bench.chaos.outcome import Outcome
from bench.chaos.suite import suite, until
from contracts.errors import Code
from contracts.fields import BlobKey
from contracts.jobs import JobState

WORKERS, SLOTS = 2, 2

REASONS = {
    Poison.CRASH: (Code.WORKER_CRASHED, "died"),
    Poison.HANG: (Code.DEADLINE_EXCEEDED, "longer"),
    Poison.DEVOUR: (Code.WORKER_CRASHED, "memory"),
}
"""Why each is a dead letter in the end: the code, and a word of the sentence."""


async def poison_is_put_aside(folder: Path, *, jobs: int, patience: float) -> Outcome:
    """Every tenth job crashes its pool process, never ends, or eats all memory, in turns.

    A render may take `patience` seconds, in which a new process may have to be started, too.
    """
    *healthy, first, second, third = photographs(13, 800, 600)
    deadly = {Poison.CRASH: first, Poison.HANG: second, Poison.DEVOUR: third}
    kinds = {hashlib.sha256(data).hexdigest(): kind for kind, data in deadly.items()}
    env = {
        VARIABLE: KINDS.dump_json(kinds).decode(),
        "DARKROOM_RENDER_TIMEOUT": str(patience),
        "DARKROOM_JOB_ATTEMPTS": "2",
        "DARKROOM_RETRY_BASE": "0.5",
        "DARKROOM_PROCESS_MEMORY": "1024",
        "DARKROOM_SLOTS": str(SLOTS),
    }
    async with (
        suite(folder, workers=WORKERS, env=env, app="bench.chaos.faulty_imaging:app") as running,
        client(running.gateway.url) as http,
        hearing(running.redis) as stream,
    ):
        images = [await http.upload(image) for image in healthy]
        poisons = [await http.upload(image) for image in deadly.values()]
        wanted = orders(images, jobs, width=600)
        for turn, place in enumerate(range(0, jobs, 10)):
            wanted[place] = replace(wanted[place], image=poisons[turn % len(poisons)])
        started = time.monotonic()
        accepted = await http.hand_in(wanted)
        await stream.until_ended(accepted, seconds=60 + jobs)
        seconds = stream.took(started)

        poison = {job: kinds[o.image] for job, o in accepted.items() if o.image in kinds}
        sound = {job: order for job, order in accepted.items() if job not in poison}
        stream.assert_once(sound)
        stream.assert_once(poison, JobState.FAILED)
        letters = await http.dead_letters(jobs)
        assert letters.keys() == poison.keys()
        for job, kind in poison.items():
            code, word = REASONS[kind]
            assert letters[job].code is code, f"{kind}: {letters[job]}"
            assert word in letters[job].detail, f"{kind}: {letters[job]}"
        await http.assert_right(sound)
        await _assert_every_slot_works(http, stream, images)
        await running.assert_nothing_is_left()
        return Outcome(
            "poison",
            jobs=jobs,
            kills=sum(worker.output().count("pool process died") for worker in running.workers),
            stall=stream.longest_stall(),
            seconds=seconds,
            notes={"dead letters": len(letters)},
        )


async def _assert_every_slot_works(http: Client, stream: Log, images: list[BlobKey]) -> None:
    """Raise unless all slots of all workers are at work at once."""

    async def all_busy() -> bool:
        return await http.busy() == WORKERS * SLOTS

    after = await http.hand_in(orders(images, 2 * WORKERS * SLOTS, width=400, variants=40))
    await until(all_busy, seconds=20)
    await stream.until_ended(after, seconds=60)
    stream.assert_once(after)
