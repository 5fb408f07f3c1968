"""How a job is kept: as the fields of a hash, and its events as entries of a stream."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from faststream.redis.message import bDATA_KEY
from pydantic import ValidationError

from contracts.errors import Failure, InvalidRequest
from contracts.jobs import Job, JobEvent, JobRequest, JobResult, JobState, Webhook
from services.runtime.faststream_adapter.envelope import Envelope

Fields = dict[str, str | bytes]


def name_of(job_id: str) -> str:
    """Where the record is."""
    return f"darkroom:job:{job_id}"


def events_of(job_id: str) -> str:
    """Where the job's own events are, under the ids they have among all."""
    return f"{name_of(job_id)}:events"


def event_of(job: Job) -> JobEvent:
    """What there is to tell of a job as it stands."""
    return JobEvent(
        id=job.event,
        job=job.id,
        state=job.state,
        done=len(job.results),
        total=len(job.variants),
        at=job.updated_at,
        problem=job.problem,
    )


def event_from(entry: bytes, fields: Mapping[bytes, bytes]) -> JobEvent:
    """The event of a stream's entry, with its id."""
    body, _ = Envelope.parse(fields[bDATA_KEY])
    event = JobEvent.model_validate_json(body)
    return event.model_copy(update={"id": entry.decode()})


def lasting(job: Job) -> Fields:
    """The fields of a record that stay as they are, but for the request."""
    fields: Fields = {
        "submitter": job.submitter,
        "created_at": job.created_at.isoformat(),
        "total": str(len(job.variants)),
    }
    if job.webhook is not None:
        fields["webhook"] = job.webhook.model_dump_json()
    return fields


def changing(job: Job, *, since: Job | None = None) -> Fields:
    """The fields of a record that change with its state, and the results that are new."""
    fields: Fields = {
        "state": job.state,
        "token": str(job.token),
        "attempts": str(job.attempts),
        "worker": job.worker or "",
        "updated_at": job.updated_at.isoformat(),
        "not_before": job.not_before.isoformat() if job.not_before else "",
        "problem": job.problem.model_dump_json() if job.problem else "",
    }
    for index in range(len(since.results) if since else 0, len(job.results)):
        fields[_result(index)] = job.results[index].model_dump_json()
    return fields


def job_from(fields: Mapping[bytes, bytes]) -> Job:
    """The job that a record holds. Raises InvalidRequest for one of a version it doesn't know."""
    try:
        return _job(fields)
    except (ValidationError, KeyError, ValueError) as exc:
        raise InvalidRequest("This version can't read the job's record.") from exc


def jobs_from(records: Iterable[Mapping[bytes, bytes]]) -> list[Job]:
    """The jobs of those records that are there and can be read."""
    jobs = []
    for fields in records:
        with suppress(InvalidRequest):
            jobs.append(job_from(fields))
    return jobs


def _job(fields: Mapping[bytes, bytes]) -> Job:
    request, _ = Envelope.parse(fields[b"request"])
    asked = JobRequest.model_validate_json(request)
    row = {name.decode(): value.decode() for name, value in fields.items() if name != b"request"}
    results = [row[name] for i in range(len(asked.variants)) if (name := _result(i)) in row]
    not_before, problem, webhook = (row.get(name) for name in ("not_before", "problem", "webhook"))
    return Job(
        **dict(asked),
        state=JobState(row["state"]),
        token=int(row["token"]),
        attempts=int(row["attempts"]),
        worker=row["worker"] or None,
        submitter=row["submitter"],
        results=tuple(map(JobResult.model_validate_json, results)),
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        not_before=datetime.fromisoformat(not_before) if not_before else None,
        problem=Failure.model_validate_json(problem) if problem else None,
        webhook=Webhook.model_validate_json(webhook) if webhook else None,
        event=row.get("event"),
    )


def flat(fields: Mapping[str, str | bytes]) -> list[str | bytes]:
    """Names and values in turn, as Redis takes them."""
    return [part for pair in fields.items() for part in pair]


def _result(index: int) -> str:
    return f"result:{index}"
