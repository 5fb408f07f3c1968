"""Jobs: durable work that a client does not wait for, its events and its dead letters."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from contracts import examples
from contracts.errors import Failure
from contracts.fields import BlobKey, Expected
from contracts.imaging import Blob
from contracts.message import Message
from contracts.operations.pipeline import Pipeline, images_of

JOBS = "imaging.jobs"
"""The stream of accepted jobs, read by the consumer group `GROUP`."""

EVENTS = "imaging.events"
"""The stream of all changes of all jobs. Old events are trimmed."""

DEAD_LETTERS = "imaging.dead"
"""The stream of jobs that failed for good. Old entries are trimmed."""

MAX_VARIANTS = 64

JobId = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{32}$", description="Id of the job."),
    Expected("should be 32 digits and lower-case letters a to f"),
]
_TWO_NUMBERS = Expected("should be two whole numbers with a hyphen between them")
EventId = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,19}-[0-9]{1,19}$", description="Position among the events of all jobs."
    ),
    _TWO_NUMBERS,
]
LetterId = Annotated[str, Field(pattern=r"^[0-9]{1,19}-[0-9]{1,19}$"), _TWO_NUMBERS]
Submitter = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._:-]{1,64}$",
        description="The client on whose behalf a job is done. Submitters' jobs take turns.",
    ),
    Expected("should be 1 to 64 letters, digits and characters of `._:-`"),
]
Variants = Annotated[
    tuple[Pipeline, ...],
    Field(
        min_length=1,
        max_length=MAX_VARIANTS,
        description="Pipelines of the job. Each gives one result, in the same order.",
    ),
]


class JobState(StrEnum):
    """State of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset({JobState.QUEUED, JobState.RUNNING})


class JobRequest(Message):
    """The entry of a job in the stream of accepted jobs. The job's record has everything else."""

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
    """Receiver of a signed POST (Standard Webhooks) when the job ends."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://agency.example/darkroom"}]}
    )

    url: Annotated[
        str,
        Field(pattern=r"^https?://[^\s]+$", max_length=2000, description="URL of the receiver."),
        Expected("should be a URL of http or https, 2000 characters at most, without spaces"),
    ]

    @property
    def receiver(self) -> "WebhookReceiver":
        """Return the part of the URL that readers of the job may know."""
        # A password before the host is refused at submission, and is left out in any case.
        host = re.split(r"[/?#\\]", self.url.partition("://")[2], maxsplit=1)[0]
        return WebhookReceiver(host=host.rpartition("@")[2].lower())


class WebhookReceiver(Message):
    """The receiver of a job's webhook, as far as readers of the job may know it.

    The URL itself is write-only: it may contain a secret, and several clients share a project.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"host": "agency.example"}]})

    host: Annotated[
        str,
        Field(max_length=2000, description="Host of the receiver, with its port if it has one."),
    ]


class JobResult(Message):
    """Outcome of one variant: a result, or a failure."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"blob": examples.BLOB, "width": 720, "height": 588, "problem": None}]
        }
    )

    blob: Annotated[Blob | None, Field(description="The result; null after a failure.")] = None
    width: Annotated[int | None, Field(description="Width in pixels.")] = None
    height: Annotated[int | None, Field(description="Height in pixels.")] = None
    problem: Annotated[Failure | None, Field(description="The failure; null after a success.")] = (
        None
    )


class Job(Message):
    """Record of a job."""

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
                    "label": "kitchen.jpg",
                    "token": 1,
                    "attempts": 1,
                    "worker": "studio-4711-9f86d081",
                    "created_at": examples.TIME,
                    "updated_at": examples.TIME,
                    "not_before": None,
                    "deadline": "2026-05-04T12:20:30Z",
                    "problem": None,
                    "webhook": None,
                    "event": examples.EVENT_ID,
                }
            ]
        }
    )

    id: JobId
    state: Annotated[JobState, Field(description="Current state.")]
    source: Annotated[Blob, Field(description="The image.")]
    variants: Variants
    results: Annotated[
        tuple[JobResult, ...], Field(description="Results of the variants done so far, in order.")
    ] = ()
    attempts: Annotated[
        int,
        Field(ge=0, description="Attempts at the current variant so far."),
    ] = 0
    worker: Annotated[
        str | None, Field(description="Name of the worker that has the job, or had it last.")
    ] = None
    submitter: Submitter
    label: Annotated[
        str | None,
        Field(description="Name for people: the image's label, unless the submission named one."),
    ] = None
    token: Annotated[
        int,
        Field(
            ge=0,
            description="Fencing token: raised whenever a worker takes the job. A worker with a "
            "lower token cannot change the record.",
        ),
    ] = 0
    created_at: Annotated[datetime, Field(description="When the job was accepted.")]
    updated_at: Annotated[datetime, Field(description="When the record last changed.")]
    not_before: Annotated[
        datetime | None, Field(description="Time of the next attempt, while the job waits for one.")
    ] = None
    deadline: Annotated[
        datetime | None,
        Field(
            description="When the job fails unless it has ended, by Redis's clock. Null for a job "
            "that a version without deadlines has accepted."
        ),
    ] = None
    problem: Annotated[
        Failure | None, Field(description="Why the job failed, or why it is retried.")
    ] = None
    webhook: Annotated[
        WebhookReceiver | None, Field(description="Receiver of a POST when the job ends.")
    ] = None
    event: Annotated[EventId | None, Field(description="Id of the job's latest event.")] = None

    @property
    def images(self) -> tuple[BlobKey, ...]:
        """Keys of the images that the job needs: the source and the watermarks."""
        return images_of(self.source.key, self.variants)


class DeadLetter(Message):
    """A job that failed for good, or stored data that no worker can read; and the reason."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": examples.EVENT_ID,
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

    id: Annotated[LetterId | None, Field(description="Id of the dead letter.")] = None
    job: Annotated[
        JobId | None, Field(description="Id of the job; null for an entry that names no job.")
    ] = None
    problem: Annotated[Failure, Field(description="Why the job failed.")]
    attempts: Annotated[
        int,
        Field(ge=0, description="Attempts at the variant that failed; 0 if it was never started."),
    ]
    at: Annotated[datetime, Field(description="When the job failed.")]
    request: Annotated[
        JobRequest | None,
        Field(description="The job's request, as it was accepted; null if it can't be read."),
    ] = None


class JobEvent(Message):
    """A change of a job, published at the moment of the change."""

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
                    "label": "kitchen.jpg",
                }
            ]
        }
    )

    id: Annotated[EventId | None, Field(description="Position among the events of all jobs.")] = (
        None
    )
    job: JobId
    state: Annotated[JobState, Field(description="State after the change.")]
    done: Annotated[int, Field(ge=0, description="Number of variants done.")]
    total: Annotated[int, Field(ge=1, description="Number of variants in all.")]
    at: Annotated[datetime, Field(description="When the job changed.")]
    problem: Annotated[
        Failure | None, Field(description="Why the job failed, or why it is retried.")
    ] = None
    label: Annotated[str | None, Field(description="The job's label; null without one.")] = None
