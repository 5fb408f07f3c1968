"""A job as the fields of a hash, and its events as entries of the stream of all events."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain

from pydantic import ValidationError
from pydantic_core import to_json

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Failure
from contracts.jobs import Job, JobEvent, JobRequest, JobResult, JobState, Webhook
from contracts.operations.pipeline import Pipeline
from services.runtime.messaging.destination import DATA_FIELD
from services.runtime.messaging.envelope import body_of, pack_json
from services.runtime.messaging.unreadable import MAX_VERSION, Damaged, UnknownVersion

VERSION = 2
"""The version of the records that are written now. This version reads the one before, too.

Version 1 has no field `v`, and each value is written that is a default here; the events of its jobs
are in a stream. A change of a default that the contracts have for jobs needs a new version.
"""

_DATA = DATA_FIELD.encode()
_JOB_ID = re.compile(rb"[0-9a-f]{32}")

READABLE = frozenset({VERSION - 1, VERSION})

Fields = dict[str, str | bytes]


def event_of(job: Job) -> JobEvent:
    """Build the event that reports a job as it is."""
    return JobEvent(
        id=job.event,
        job=job.id,
        state=job.state,
        done=len(job.results),
        total=len(job.variants),
        at=job.updated_at,
        problem=job.problem,
        label=job.label,
    )


def packed_event(event: JobEvent) -> bytes:
    """Return an event as an entry's data; without a label, the field is left out."""
    text = event.model_dump_json(exclude=None if event.label else {"label"})
    return pack_json(text.encode(), event.job)


def event_from(entry: bytes, fields: Mapping[bytes, bytes]) -> JobEvent:
    """Read an event from an entry of a stream; the entry's id becomes the event's."""
    event = JobEvent.model_validate_json(body_of(fields[_DATA]))
    # It is nobody else's yet, and a copy would take three times as long as to read it.
    event.__dict__["id"] = entry.decode()
    return event


def new_fields(
    now: datetime, submitter: str, total: int, webhook: Webhook | None, project: str, line: str
) -> Fields:
    """The fields of a new job's record, but for its request and its label.

    `submitter` is the line of the queue; `shown` is the job's submitter where that is another one.
    """
    at = now.isoformat()
    fields: Fields = {
        **{"submitter": line, "created_at": at},
        # As `state_fields` writes them at each change.
        **{"v": str(VERSION), "state": JobState.QUEUED, "token": "0", "attempts": "0"},
        **{"worker": "", "updated_at": at},
    }
    if line != submitter:
        fields["shown"] = submitter
    if project != DEFAULT_PROJECT:
        fields["project"] = project
    if total > 1:
        fields["total"] = str(total)
    if webhook is not None:
        fields["webhook"] = webhook.model_dump_json()
    return fields


def request_start(job_id: str, variants: Sequence[Pipeline]) -> bytes:
    """A JobRequest as JSON up to the description of its source, which submit.lua adds.

    Without what is a default, which is more than half of most pipelines.
    """
    short = [variant.model_dump(exclude_defaults=True) for variant in variants]
    for variant, dumped in zip(variants, short, strict=True):
        for operation, fields in zip(variant.operations, dumped.get("operations", ()), strict=True):
            # The name is a default of each operation's class, and tells which class it is.
            fields["op"] = operation.op
    return b'%b,"source":' % to_json({"id": job_id, "variants": short})[:-1]


def state_fields(job: Job, *, since: Job | None = None) -> Fields:
    """The fields of a record that change with its state, and the results added since `since`."""
    fields: Fields = {
        "v": str(VERSION),
        "state": job.state,
        "token": str(job.token),
        "attempts": str(job.attempts),
        "worker": job.worker or "",
        "updated_at": job.updated_at.isoformat(),
    }
    # An empty field only where one of `since` may have to be replaced.
    if job.not_before or (since and since.not_before):
        fields["not_before"] = job.not_before.isoformat() if job.not_before else ""
    if job.problem or (since and since.problem):
        fields["problem"] = _compact(job.problem) if job.problem else ""
    for index in range(len(since.results) if since else 0, len(job.results)):
        fields[_result(index)] = _compact(job.results[index])
    return fields


def named_project(name: bytes | None) -> str:
    """Return the project that the field `project` of a record names: `default` without one."""
    return name.decode(errors="replace") if name else DEFAULT_PROJECT


def job_id_of(entry: Mapping[bytes, bytes]) -> str | None:
    """Return the id of the job that an entry of the jobs stream names, if it names one."""
    job_id = entry.get(b"job", b"")
    return job_id.decode() if _JOB_ID.fullmatch(job_id) else None


def job_from(fields: Mapping[bytes, bytes]) -> Job:
    """Read a record. Raises UnknownVersion for one of another version, and Damaged."""
    try:
        version = int(fields.get(b"v", b"1"))
        if version in READABLE:
            return _job(fields)
        if not 0 <= version <= MAX_VERSION:
            raise ValueError(version)
    except (ValidationError, KeyError, ValueError) as exc:
        raise Damaged("The job's record is damaged: no version can read it.") from exc
    readable = " and ".join(map(str, sorted(READABLE)))
    detail = f"The job's record has version {version}; this process reads {readable}."
    raise UnknownVersion(detail, version=version)


def _job(fields: Mapping[bytes, bytes]) -> Job:
    asked = JobRequest.model_validate_json(body_of(fields[b"request"]))
    row = {name.decode(): value.decode() for name, value in fields.items() if name != b"request"}
    results = [row[name] for i in range(len(asked.variants)) if (name := _result(i)) in row]
    not_before, problem, webhook = (row.get(name) for name in ("not_before", "problem", "webhook"))
    return Job(
        **dict(asked),
        state=JobState(row["state"]),
        token=int(row["token"]),
        attempts=int(row["attempts"]),
        worker=row["worker"] or None,
        submitter=row.get("shown") or row["submitter"],
        label=row.get("label"),
        results=tuple(map(JobResult.model_validate_json, results)),
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        not_before=datetime.fromisoformat(not_before) if not_before else None,
        problem=Failure.model_validate_json(problem) if problem else None,
        webhook=Webhook.model_validate_json(webhook).receiver if webhook else None,
        deadline=moment(int(row["deadline"])) if "deadline" in row else None,
        event=row.get("event"),
    )


def moment(milliseconds: int) -> datetime:
    """Return a moment of Redis's clock, which is in milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def flattened(fields: Mapping[str, str | bytes]) -> list[str | bytes]:
    """Names and values in turn, as HSET takes them."""
    return [*chain.from_iterable(fields.items())]


def _compact(message: JobResult | Failure) -> str:
    return message.model_dump_json(exclude_defaults=True)


def _result(index: int) -> str:
    return f"result:{index}"
