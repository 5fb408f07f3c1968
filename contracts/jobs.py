"""Jobs: durable, accepted work, and what is told about it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from contracts import examples
from contracts.errors import Failure
from contracts.imaging import Blob
from contracts.message import Message
from contracts.operations import Pipeline

JOBS = "imaging.jobs"
"""The stream that accepted jobs wait in, shared by the consumer group `GROUP`."""

EVENTS = "imaging.events"
"""The stream that tells every change of every job; trimmed."""

MAX_VARIANTS = 64

JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="The job's id.")]
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
                    "attempts": 1,
                    "worker": "studio-4711-9f86d081",
                    "created_at": examples.TIME,
                    "updated_at": examples.TIME,
                    "problem": None,
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
        Field(ge=0, description="Workers that took it up since it last got on: all but one died."),
    ] = 0
    worker: Annotated[str | None, Field(description="Who has it, or had it last.")] = None
    created_at: Annotated[datetime, Field(description="When it was accepted.")]
    updated_at: Annotated[datetime, Field(description="When it last changed.")]
    problem: Annotated[Failure | None, Field(description="Why it failed.")] = None


class JobEvent(Message):
    """A change of a job, told the moment it happens."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
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

    job: JobId
    state: Annotated[JobState, Field(description="Where it stands now.")]
    done: Annotated[int, Field(ge=0, description="Variants done.")]
    total: Annotated[int, Field(ge=1, description="Variants asked for.")]
    at: Annotated[datetime, Field(description="When it changed.")]
    problem: Annotated[Failure | None, Field(description="Why it failed.")] = None
