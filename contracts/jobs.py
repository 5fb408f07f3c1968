"""Jobs: durable, accepted work, and what is told about it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from contracts import examples
from contracts.errors import Failure
from contracts.imaging import Blob
from contracts.message import Message
from contracts.operations.pipeline import Pipeline

JOBS = "imaging.jobs"
"""The stream that accepted jobs wait in, shared by the consumer group `GROUP`."""

EVENTS = "imaging.events"
"""The stream that tells every change of every job; trimmed."""

DEAD = "imaging.dead"
"""The stream of jobs that were given up, with the reason; trimmed."""

MAX_VARIANTS = 64

JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="The job's id.")]
EventId = Annotated[
    str, Field(pattern=r"^[0-9]{1,19}-[0-9]{1,19}$", description="Its place among all events.")
]
Submitter = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._:-]{1,64}$",
        description="On whose behalf; the jobs of each take turns with those of the others.",
    ),
]
Variants = Annotated[
    tuple[Pipeline, ...],
    Field(min_length=1, max_length=MAX_VARIANTS, description="One result for each, in order."),
]


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset({JobState.QUEUED, JobState.RUNNING})


class JobRequest(Message):
    """A job on its way to a worker. The record has the rest."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": examples.JOB_ID, "source": examples.BLOB, "variants": [examples.PIPELINE]}
            ]
        }
    )

    id: JobId
    source: Annotated[Blob, Field(description="The image.")]
    variants: Variants


class Webhook(Message):
    """Where the end of a job is told, as a signed POST by Standard Webhooks."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://agency.example/darkroom"}]}
    )

    url: Annotated[
        str,
        Field(
            pattern=r"^https?://[^\s]+$", max_length=2000, description="Of the client's own server."
        ),
    ]


class JobResult(Message):
    """One variant's outcome: a blob, or the failure that it ended in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"blob": examples.BLOB, "width": 720, "height": 588, "problem": None}]
        }
    )

    blob: Annotated[Blob | None, Field(description="Where the result is.")] = None
    width: Annotated[int | None, Field(description="Pixels across.")] = None
    height: Annotated[int | None, Field(description="Pixels down.")] = None
    problem: Annotated[Failure | None, Field(description="Why there is none.")] = None


class Job(Message):
    """A job as it stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": examples.JOB_ID,
                    "state": "running",
                    "source": examples.BLOB,
                    "variants": [examples.PIPELINE],
                    "results": [],
                    "submitter": "198.51.100.7",
                    "token": 1,
                    "attempts": 1,
                    "worker": "studio-4711-9f86d081",
                    "created_at": examples.TIME,
                    "updated_at": examples.TIME,
                    "not_before": None,
                    "problem": None,
                    "webhook": None,
                    "event": examples.EVENT_ID,
                }
            ]
        }
    )

    id: JobId
    state: Annotated[JobState, Field(description="Where it stands.")]
    source: Annotated[Blob, Field(description="The image.")]
    variants: Variants
    results: Annotated[
        tuple[JobResult, ...], Field(description="The variants done so far, in order.")
    ] = ()
    attempts: Annotated[
        int,
        Field(ge=0, description="How often it was taken up since it last got on."),
    ] = 0
    worker: Annotated[str | None, Field(description="Who has it, or had it last.")] = None
    submitter: Submitter
    token: Annotated[
        int,
        Field(
            ge=0, description="Raised whenever it is taken up; who has an older one can't write."
        ),
    ] = 0
    created_at: Annotated[datetime, Field(description="When it was accepted.")]
    updated_at: Annotated[datetime, Field(description="When it last changed.")]
    not_before: Annotated[
        datetime | None, Field(description="When it is tried again, while it waits for that.")
    ] = None
    problem: Annotated[
        Failure | None, Field(description="Why it failed, or why it is tried again.")
    ] = None
    webhook: Annotated[Webhook | None, Field(description="Where its end is told.")] = None
    event: Annotated[EventId | None, Field(description="The last event that told of it.")] = None


class DeadLetter(Message):
    """A job that was given up, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job": examples.JOB_ID,
                    "problem": {
                        "code": "worker_crashed",
                        "detail": "The process that worked on this image died of it.",
                        "retry_after": None,
                    },
                    "attempts": 3,
                    "at": examples.TIME,
                    "request": {
                        "id": examples.JOB_ID,
                        "source": examples.BLOB,
                        "variants": [examples.PIPELINE],
                    },
                }
            ]
        }
    )

    job: JobId
    problem: Annotated[Failure, Field(description="Why it was given up.")]
    attempts: Annotated[int, Field(ge=1, description="How often it was tried without getting on.")]
    at: Annotated[datetime, Field(description="When it was given up.")]
    request: Annotated[JobRequest, Field(description="What was to be done.")]


class JobEvent(Message):
    """A change of a job, told the moment it happens."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": examples.EVENT_ID,
                    "job": examples.JOB_ID,
                    "state": "running",
                    "done": 1,
                    "total": 3,
                    "at": examples.TIME,
                    "problem": None,
                }
            ]
        }
    )

    id: Annotated[EventId | None, Field(description="Its place among all events.")] = None
    job: JobId
    state: Annotated[JobState, Field(description="Where it stands now.")]
    done: Annotated[int, Field(ge=0, description="Variants done.")]
    total: Annotated[int, Field(ge=1, description="Variants asked for.")]
    at: Annotated[datetime, Field(description="When it changed.")]
    problem: Annotated[
        Failure | None, Field(description="Why it failed, or why it is tried again.")
    ] = None
