"""A job's own events: a list of short texts beside its record.

A list of one event takes 0.1 KB; a stream takes 4.4 KB. A text has the event's id in the stream of
all events, the number of variants, the state, the number of variants done, the time in
microseconds, and the problem as JSON if there is one; a space separates each from the next. The
job's label is in its record.

Version 1 of records has a stream in place of the list. A stream that exists is continued, so that
processes of both versions read what the other has written: see `publish` in queues.lua. The stream
can go, there and here, in the version that no longer reads version 1.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.exceptions import ResponseError

from contracts.errors import Failure
from contracts.jobs import JobEvent, JobState
from services.runtime.jobs.records import event_from, named_project
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.unreadable import Damaged
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Command
from services.runtime.redis.stream_entries import entries_from

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def text_of(event: JobEvent) -> str:
    """Return an event as its job keeps it, without its id: the scripts put the id before it."""
    at = (event.at - _EPOCH) // _MICROSECOND
    text = f"{event.total} {event.state} {event.done} {at}"
    if event.problem is None:
        return text
    return f"{text} {event.problem.model_dump_json(exclude_defaults=True)}"


def published_event(received: Received) -> JobEvent:
    """Return the event in an entry of the stream of all events. Raises Damaged."""
    fields = received.data if isinstance(received.data, dict) else {}
    try:
        return event_from(received.entry or b"", fields)
    except (ValueError, KeyError) as exc:
        raise Damaged("The entry is no event of a job.") from exc


async def own_events(redis: RedisClient, job_ids: Sequence[str], after: str) -> list[JobEvent]:
    """Return the events of some jobs after the id `after`: job by job, each in order."""

    def later_in(job_id: str) -> tuple[Command, Command]:
        stream = keys.job_events_1(job_id)
        return ("LRANGE", keys.job_events(job_id), 0, -1), ("XRANGE", stream, f"({after}", "+")

    known = _position(after)
    events = list[JobEvent]()
    for job_id, (label, _), texts, entries in await _ask(redis, job_ids, later_in):
        events += _events_from(job_id, label, texts, known)
        events += [event_from(*entry) for entry in entries_from(entries)]
    return events


async def last_events(
    redis: RedisClient, project: str, job_ids: Sequence[str]
) -> dict[str, JobEvent]:
    """Return the last event of each job of a project; others, and forgotten ones, have none."""

    def last_in(job_id: str) -> tuple[Command, Command]:
        stream = keys.job_events_1(job_id)
        last = "LRANGE", keys.job_events(job_id), -1, -1
        return last, ("XREVRANGE", stream, "+", "-", "COUNT", 1)

    last = dict[str, JobEvent]()
    for job_id, (label, owner), texts, entries in await _ask(redis, job_ids, last_in):
        if named_project(owner) != project:
            continue
        for event in _events_from(job_id, label, texts):
            last[job_id] = event
        for entry in entries_from(entries):
            last[job_id] = event_from(*entry)
    return last


async def _ask(
    redis: RedisClient,
    job_ids: Sequence[str],
    commands: Callable[[str], tuple[Command, Command]],
) -> Iterator[tuple[str, Sequence[bytes | None], list[bytes], list[Any]]]:
    """Return for each job its label and project, and the replies of its list and of its stream."""
    asked = [one for job_id in job_ids for one in commands(job_id)]
    records: list[Command] = [("HMGET", keys.job(one), "label", "project") for one in job_ids]
    try:
        replies = await redis.pipeline([*asked, *records])
    except ResponseError:
        # A record is no hash, which must not keep the events of all jobs back.
        replies = await redis.pipeline(asked)
        replies += [await _fields_of(redis, record) for record in records]
    found = len(asked)
    return zip(job_ids, replies[found:], replies[:found:2], replies[1:found:2], strict=True)


async def _fields_of(redis: RedisClient, record: Command) -> Sequence[bytes | None]:
    """Return the label and the project of a record, which may be no hash."""
    try:
        found: list[bytes | None] = await redis.execute(*record)
    except ResponseError:
        return None, None
    return found


def _events_from(
    job_id: str, label: bytes | None, texts: Iterable[bytes], after: tuple[int, int] = (0, 0)
) -> Iterator[JobEvent]:
    """Read the events of a list after a position; a text that can't be read is left out."""
    for text in texts:
        with suppress(ValueError, OverflowError):
            event_id, total, state, done, at, *problem = text.decode().split(" ", 5)
            if _position(event_id) > after:
                yield JobEvent(
                    id=event_id,
                    job=job_id,
                    state=JobState(state),
                    done=int(done),
                    total=int(total),
                    at=_EPOCH + int(at) * _MICROSECOND,
                    problem=Failure.model_validate_json(problem[0]) if problem else None,
                    label=label.decode() if label else None,
                )


def _position(event_id: str) -> tuple[int, int]:
    milliseconds, number = event_id.split("-")
    return int(milliseconds), int(number)
