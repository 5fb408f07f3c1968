"""Dead letters: jobs that failed for good, and records and entries that nobody can read."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError
from redis.exceptions import ResponseError

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Failure, Internal, InvalidRequest, NotFound
from contracts.jobs import DEAD_LETTERS, OPEN_STATES, DeadLetter, Job, JobEvent, JobState
from services.runtime.jobs.own_events import text_of
from services.runtime.jobs.records import job_id_of, packed_event
from services.runtime.jobs.transitions import Transitions
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.destination import DATA_FIELD
from services.runtime.messaging.envelope import body_of, pack_message
from services.runtime.messaging.unreadable import Damaged, UnknownVersion
from services.runtime.redis.client import RedisClient
from services.runtime.redis.replies import is_outage
from services.runtime.redis.stream_entries import entries_from
from services.runtime.settings import RuntimeSettings

log = structlog.get_logger(__name__)

RawFields = dict[bytes, bytes]


@dataclass(frozen=True)
class RawLetter:
    """A dead letter as Redis holds it: its own fields, those of its entry, those of its job."""

    letter: RawFields
    entry: RawFields
    record: RawFields
    """For a key of another type: one field, named as the type, with the key's dump."""
    complete: bool
    """True if nothing was cut off: the values have a megabyte together at most."""


class DeadLetters:
    """The dead letters of the suite. All methods raise what `RedisClient` raises."""

    def __init__(
        self, redis: RedisClient, settings: RuntimeSettings, transitions: Transitions
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._transitions = transitions

    async def latest(self, project: str, most: int) -> AsyncIterator[DeadLetter]:
        """Yield the latest dead letters of a project, the newest first, `most` at most.

        Each one is read when it is asked for: it may have 300 KB.
        """
        stream, end = _stream_of(project), b"+"
        for _ in range(most):
            reply = await self._redis.execute("XREVRANGE", stream, end, "-", "COUNT", 1)
            if not reply:
                return
            for entry, fields in entries_from(reply):
                end = b"(" + entry
                yield _letter(entry, fields)

    async def raw(self, project: str, name: str) -> RawLetter:
        """Return all that is stored of a project's letter with this id, or of this job's.

        Values are cut off after a megabyte in all. Raises NotFound.
        """
        letter = await self._find(project, name)
        found = await self._transitions.run("raw", project, letter.id, letter.job or "")
        if not found:
            raise _no_letter()
        *parts, complete = found
        own, entry, record = map(_paired, parts)
        return RawLetter(own, entry, record, complete == 1)

    async def remove(self, project: str, name: str) -> None:
        """Remove a project's letter with this id, or of this job, and a record nobody can read.

        Raises NotFound.
        """
        letter = await self._find(project, name)
        named, damaged = (project, letter.id, letter.job or ""), int(letter.request is None)
        if not await self._transitions.run("remove", *named, damaged):
            raise _no_letter()

    async def give_up(self, received: Received, exc: Exception, *, worker: str) -> None:
        """End the job of an entry that `worker` can't handle, unless another worker runs it.

        The job fails, and becomes a dead letter. If its record can't be read or changed either,
        both are quarantined. Raises UnknownVersion for the record of another version, unless `exc`
        says that it has waited for long enough.
        """
        assert isinstance(received.data, dict)
        job_id = job_id_of(received.data) or ""
        unreadable = isinstance(exc, (Damaged, InvalidRequest, UnknownVersion))
        try:
            job = await self._transitions.read(job_id) if job_id else None
        except (Damaged, UnknownVersion) as unread:
            if isinstance(unread, UnknownVersion) and not isinstance(exc, UnknownVersion):
                raise
            await self.quarantine(job_id, unread.failure(), received=received)
            return
        if job is None and (unreadable or not job_id):
            alone = Internal("The entry in the stream of jobs can't be read, and has no job.")
            await self.quarantine(job_id, alone.failure(), received=received)
        if job is None or job.state not in OPEN_STATES:
            return
        if job.state is JobState.RUNNING and job.worker != worker:
            return
        problem = _problem(received, exc)
        update: dict[str, Any] = {"problem": problem, "attempts": received.deliveries}
        ended = self._transitions.change(job, **update, state=JobState.FAILED)
        await self._or_quarantine(ended, job_id, problem, received)

    async def end_late(self, job: Job) -> Job | None:
        """End an open job whose deadline has passed, or quarantine one that can't be changed."""
        problem = Internal("The job's time is over, and Redis refuses to end it.").failure()
        return await self._or_quarantine(self._transitions.end_late(job), job.id, problem)

    async def _or_quarantine(
        self,
        change: Awaitable[Job | None],
        job_id: str,
        problem: Failure,
        received: Received | None = None,
    ) -> Job | None:
        """Await a change of a job; quarantine the job if Redis refuses the change for good."""
        try:
            return await change
        except ResponseError as refused:
            if is_outage(refused):
                raise
            log.error("job can't be changed", job=job_id, reason=str(refused))
            await self.quarantine(job_id, problem, received=received)
            return None

    async def read_or_quarantine(self, job_id: str) -> Job | None:
        """Return a job, or quarantine one whose record is damaged. Raises UnknownVersion."""
        try:
            return await self._transitions.read(job_id)
        except Damaged as exc:
            log.error("damaged job quarantined", job=job_id, reason=exc.detail)
            await self.quarantine(job_id, exc.failure())
            return None

    async def quarantine(
        self, job_id: str, problem: Failure, *, received: Received | None = None
    ) -> None:
        """Make a dead letter of a record, or an entry, that nobody can read, with its raw fields.

        The job leaves every queue, and its event says that it has failed. The id of an entry
        without a job is "".
        """
        now, entry, fields = datetime.now(UTC), b"", list[bytes]()
        if received is not None and received.entry is not None:
            assert isinstance(received.data, dict)
            entry = received.entry
            fields = [part for pair in received.data.items() for part in pair]
        letter = DeadLetter(job=job_id or None, problem=problem, attempts=1, at=now)
        event, text = b"", ""
        if job_id:
            failed = JobState.FAILED
            end = JobEvent(job=job_id, state=failed, done=0, total=1, at=now, problem=problem)
            event, text = packed_event(end), text_of(end)
        await self._transitions.run(
            "quarantine",
            *(job_id, entry, event, text, pack_message(letter, job_id)),
            self._settings.job_ttl,
            *fields,
        )

    async def _find(self, project: str, name: str) -> DeadLetter:
        """Return a project's letter with the id `name`, or of the job `name`. Raises NotFound."""
        letter = name if "-" in name else await self._transitions.letter_of(project, name)
        if letter is None:
            raise _no_letter()
        reply = await self._redis.execute("XRANGE", _stream_of(project), letter, letter)
        for entry, fields in entries_from(reply):
            return _letter(entry, fields)
        raise _no_letter()


def _stream_of(project: str) -> str:
    """Return the name of the stream of a project's dead letters, as `letters_of` in queues.lua."""
    return DEAD_LETTERS if project == DEFAULT_PROJECT else f"{DEAD_LETTERS}:{project}"


def _letter(entry: bytes, fields: Mapping[bytes, bytes]) -> DeadLetter:
    """Read a dead letter; one that can't be read is shown as such."""
    letter_id = entry.decode()
    try:
        letter = DeadLetter.model_validate_json(body_of(fields[DATA_FIELD.encode()]))
    except (ValidationError, KeyError):
        at = datetime.fromtimestamp(int(letter_id.partition("-")[0]) / 1000, UTC)
        problem = Internal("This version can't read the dead letter.").failure()
        letter = DeadLetter(problem=problem, attempts=1, at=at)
    return letter.model_copy(update={"id": letter_id})


def _problem(received: Received, exc: Exception) -> Failure:
    if isinstance(exc, InvalidRequest):
        return Internal("The job's entry in the stream of jobs can't be read.").failure()
    reason = f"Given up after {received.deliveries} deliveries: {type(exc).__name__}."
    return Internal(f"{reason} The worker's log has the details.").failure()


def _no_letter() -> NotFound:
    return NotFound("There is no such dead letter; it may have been removed or requeued.")


def _paired(flat: list[bytes]) -> RawFields:
    return dict(zip(flat[::2], flat[1::2], strict=True))
