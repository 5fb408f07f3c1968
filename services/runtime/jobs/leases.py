"""A worker's side of jobs: take one up, report each result, hand it back.

A lease is the right to change a running job. Its token goes up with every start, so a worker that
was slow and lost its job to another can't write any more.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.errors import Failure
from contracts.jobs import Job, JobEvent, JobRequest, JobResult, JobState
from contracts.retries import REPLAYABLE
from services.runtime.jobs.own_events import text_of
from services.runtime.jobs.records import (
    VERSION,
    Fields,
    flattened,
    job_from,
    job_id_of,
    packed_event,
)
from services.runtime.jobs.transitions import Transitions
from services.runtime.messaging.destination import DATA_FIELD
from services.runtime.messaging.envelope import headers_of
from services.runtime.messaging.unreadable import Damaged

_UNKNOWN_JOB, _UNKNOWN_TOTAL = "0" * 32, 10**9


@dataclass(frozen=True)
class Assignment:
    """An entry of the jobs stream that a worker was given."""

    entry: bytes
    fields: dict[bytes, bytes]
    record: dict[bytes, bytes] | None
    """The record of its job, if the job was taken in the same step."""

    @property
    def job_id(self) -> str:
        """The job that the entry names. Raises Damaged."""
        job_id = job_id_of(self.fields)
        if job_id is None:
            raise Damaged("The entry in the stream of jobs names no job.")
        return job_id

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the entry's message."""
        return headers_of(self.fields.get(DATA_FIELD.encode(), b""))

    def job(self) -> Job | None:
        """Return the job if it was taken in the same step. Raises Damaged."""
        return job_from(self.record) if self.record is not None else None


class Leases:
    """The jobs that workers take: `Jobs.leases`. All methods raise what `RedisClient` raises."""

    def __init__(self, transitions: Transitions) -> None:
        self._transitions = transitions

    async def take(self, request: JobRequest, worker: str, *, entry: str = "") -> Job | None:
        """Take a job that no worker has had before, in one round trip; None for any other.

        When the job stops running, the stream's `entry` is acknowledged in the same step. Raises
        Damaged.
        """
        event, fields = _first_start(request.id, worker, total=len(request.variants))
        sent = packed_event(event), text_of(event)
        taken = {**fields, "entry": entry}
        record = await self._transitions.run("take", request.id, *sent, *flattened(taken))
        return job_from(_paired(record)) if record else None

    async def take_next(self, worker: str) -> Assignment | None:
        """Give `worker` the next entry of the stream, and take its job as `take` does.

        None when the stream is empty. A job that a worker has had before is not taken: `start` it.
        """
        event, fields = _first_start(_UNKNOWN_JOB, worker, total=_UNKNOWN_TOTAL)
        sent = packed_event(event)
        # The script fills in the job's id, which the envelope names as well, and its total.
        head, middle, rest = sent.split(_UNKNOWN_JOB.encode())
        tail, last = rest.split(str(_UNKNOWN_TOTAL).encode())
        text = text_of(event).removeprefix(str(_UNKNOWN_TOTAL))
        given = await self._transitions.run(
            "take_next", worker, head, middle, tail, last, text, *flattened(fields)
        )
        if not given:
            return None
        entry, fields, record = given
        return Assignment(entry, _paired(fields), _paired(record) if record else None)

    async def start(self, job: Job, worker: str, *, entry: str = "") -> Job | None:
        """Take a job with a new token; None when it has changed meanwhile.

        A job that `worker` had already, and takes again after an outage of Redis, is no new
        attempt.
        """
        attempts = job.attempts + (job.worker != worker)
        return await self._transitions.change(
            job,
            entry=entry,
            state=JobState.RUNNING,
            attempts=attempts,
            worker=worker,
            token=job.token + 1,
        )

    async def hand_back(self, job: Job, *, delay: float = 0) -> Job | None:
        """Queue the job, and don't count this attempt: as the first of its submitter, or later.

        After a `delay` in seconds the job is the last of its submitter.
        """
        update: dict[str, Any] = {"attempts": max(0, job.attempts - 1)}
        if not delay:
            return await self._transitions.queue(job, "first", **update)
        return await self._queue_later(job, delay, **update)

    async def yield_turn(self, job: Job) -> Job | None:
        """Queue a job that has got on as the last of its submitter; None if no job waits."""
        return await self._transitions.queue(job, "fair", attempts=0)

    async def retry(self, job: Job, problem: Failure, *, delay: float) -> Job | None:
        """Have the job tried again in `delay` seconds."""
        return await self._queue_later(job, delay, problem=problem)

    async def _queue_later(self, job: Job, delay: float, **update: Any) -> Job | None:
        due = datetime.now(UTC) + timedelta(seconds=delay)
        return await self._transitions.queue(job, str(int(delay * 1000)), not_before=due, **update)

    async def end_late(self, job: Job) -> Job | None:
        """End the job, whose deadline has passed, with the results it has."""
        return await self._transitions.end_late(job)

    async def add_result(self, job: Job, result: JobResult) -> Job | None:
        """Add one variant's result; the last one ends the job.

        A result resets the count of attempts. A job whose variants have all failed has failed, and
        becomes a dead letter if one of the failures may succeed when it is tried again.
        """
        results = (*job.results, result)
        update: dict[str, Any] = {"results": results, "problem": None}
        if len(results) < len(job.variants):
            return await self._transitions.change(job, **update, attempts=1)
        problems = [result.problem for result in results if result.problem is not None]
        if len(problems) < len(results):
            return await self._transitions.change(job, **update, state=JobState.SUCCEEDED)
        update["problem"] = next((one for one in problems if one.code in REPLAYABLE), problems[0])
        return await self._transitions.change(job, **update, state=JobState.FAILED)


def _first_start(job_id: str, worker: str, *, total: int) -> tuple[JobEvent, Fields]:
    """The event and the fields of a job that starts for the first time."""
    running, now = JobState.RUNNING, datetime.now(UTC)
    event = JobEvent(job=job_id, state=running, done=0, total=total, at=now)
    fields: Fields = {"state": running, "token": "1", "attempts": "1", "worker": worker}
    return event, {**fields, "updated_at": now.isoformat(), "v": str(VERSION)}


def _paired(flat: list[bytes]) -> dict[bytes, bytes]:
    """A hash as a script returns it: names and values in turn."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
