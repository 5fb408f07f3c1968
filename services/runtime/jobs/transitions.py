"""Change a job from one state to another, with its event, in one script: see queues.lua."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from redis.exceptions import ResponseError

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import DeadlineExceeded
from contracts.jobs import DEAD_LETTERS, EVENTS, JOBS, DeadLetter, Job, JobRequest, JobState
from contracts.methods import GROUP
from contracts.retries import REPLAYABLE
from services.runtime.jobs.gathering import Gathering
from services.runtime.jobs.own_events import text_of
from services.runtime.jobs.records import (
    VERSION,
    event_of,
    flattened,
    job_from,
    named_project,
    packed_event,
    state_fields,
)
from services.runtime.messaging.destination import DATA_FIELD
from services.runtime.messaging.envelope import pack_message
from services.runtime.messaging.unreadable import Damaged
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.scripts import load_script
from services.runtime.settings import RuntimeSettings

_load = partial(
    load_script,
    __package__,
    VERSION=VERSION,
    DEFAULT_PROJECT=DEFAULT_PROJECT,
    RECORD=keys.JOB,
    LINE=keys.JOB_LINE,
    TURNS=keys.JOB_TURNS,
    QUEUED=keys.JOBS_QUEUED,
    RUNNING=keys.JOBS_RUNNING,
    LATER=keys.JOBS_LATER,
    DEADLINES=keys.JOBS_DEADLINES,
    ENDED=keys.JOBS_ENDED,
    IMAGE=keys.IMAGE,
    QUARANTINE=keys.QUARANTINE,
    LEADER=keys.MAINTENANCE_LEADER,
    WEBHOOKS=keys.WEBHOOKS_DUE,
    WEBHOOK_ATTEMPTS=keys.WEBHOOK_ATTEMPTS,
    GROUP=GROUP,
    DATA=DATA_FIELD,
    EVENTS_KEPT=10_000,
    DEAD_KEPT=10_000,
    MAX_RAW=1 << 20,
    MIN_CAPACITY=4,
    GRACE=60_000,
    EVENTS_LIFE=7 * 24 * 3600 * 1000,
)
_REST = ("queues", "maintenance", "dead_letters", "command")
_CHANGE = _load("queues", "store", "commands", when_full=True)
_CHANGES = frozenset({"change", "take", "take_next"})
_SCRIPTS = {
    "submit": _load("queues", "submit", "command"),
    "requeue": _load(*_REST),
}
"""Scripts by command; `_CHANGE` has the `_CHANGES`, and `_OTHERS` every other one.

A full store refuses `submit` and `requeue`, which promise new work, and goes on with all others.
"""
_OTHERS = _load(*_REST, when_full=True)
_KEYS = (JOBS, EVENTS, DEAD_LETTERS, keys.responders(JOBS), keys.capacities(JOBS))


class Transitions:
    """Every change of a job's state. All methods raise what `RedisClient` raises."""

    def __init__(self, redis: RedisClient, settings: RuntimeSettings) -> None:
        self._redis = redis
        self._settings = settings
        self._changes = Gathering(redis, _CHANGE, _KEYS)

    async def run(self, command: str, *args: Any) -> Any:
        """Return the reply of one of the commands of the scripts."""
        if command in _CHANGES:
            return await self._changes.run(command, *args)
        script = _SCRIPTS.get(command, _OTHERS)
        return await self._redis.script(script, _KEYS, (command, *args))

    async def record(self, job_id: str) -> dict[bytes, bytes]:
        """Return the fields of a job's record; none where there is no record. Raises Damaged."""
        try:
            record: dict[bytes, bytes] = await self._redis.execute("HGETALL", keys.job(job_id))
        except ResponseError as exc:
            if not str(exc).startswith("WRONGTYPE"):
                raise
            raise Damaged("The key of the job's record has a wrong type.") from exc
        return record

    async def read(self, job_id: str) -> Job | None:
        """Return a job as its record says. Raises UnknownVersion, and Damaged."""
        record = await self.record(job_id)
        return job_from(record) if record else None

    async def letter_of(self, project: str, job_id: str) -> str | None:
        """Return the id of the dead letter of a project's job; None where there is none."""
        try:
            row = await self._redis.execute("HMGET", keys.job(job_id), "dead", "project")
        except ResponseError:
            return None
        letter, owner = row
        return letter.decode() if letter and named_project(owner) == project else None

    async def change(
        self, job: Job, where: str = "last", *, entry: str | None = None, **update: Any
    ) -> Job | None:
        """Write `update` to a job that is still as `job` says, and return it as it is then.

        None when the job has changed meanwhile: its lease is somebody else's. `where` says where
        a queued job goes: see store.lua. `entry` is the stream's entry that the job came in.
        """
        update = {"not_before": None, **update, "updated_at": datetime.now(UTC)}
        changed = job.model_copy(update=update)
        fields = state_fields(changed, since=job)
        if entry is not None:
            fields["entry"] = entry
        dead_letter, reported = _dead_letter(changed), event_of(changed)
        event = await self.run(
            "change",
            *(job.id, job.state, job.token, changed.state, where, self._settings.job_ttl),
            *(packed_event(reported), text_of(reported)),
            dead_letter,
            " ".join(job.images) if dead_letter else "",
            *flattened(fields),
        )
        return changed.model_copy(update={"event": event.decode()}) if event else None

    async def queue(self, job: Job, where: str, **update: Any) -> Job | None:
        """Queue a job again, without a worker. As `change`."""
        return await self.change(job, where, state=JobState.QUEUED, worker=None, **update)

    async def end_late(self, job: Job) -> Job | None:
        """End an open job whose deadline has passed, with the results it has. As `change`."""
        done, total = len(job.results), len(job.variants)
        late = DeadlineExceeded(f"The job's time is over; {done} of {total} variants have ended.")
        return await self.change(job, state=JobState.FAILED, problem=late.failure())


def _dead_letter(job: Job) -> bytes:
    """The dead letter of a job that failed and may succeed when it is tried again; else nothing."""
    problem = job.problem
    if job.state is not JobState.FAILED or problem is None or problem.code not in REPLAYABLE:
        return b""
    letter = DeadLetter(
        job=job.id,
        problem=problem,
        attempts=job.attempts,
        at=job.updated_at,
        request=JobRequest(id=job.id, source=job.source, variants=job.variants),
    )
    return pack_message(letter, job.id)
