"""What a receiver is told of a job's end, and how it knows who told it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header
from pydantic import Field
from standardwebhooks import Webhook as Signer

from contracts.jobs import Job
from contracts.message import Message
from services.gateway.result_links import ResultLink, links

documented = APIRouter(tags=["later"])
"""What the OpenAPI document says under `webhooks`; nothing is served by it."""


class EndedJob(Job):
    """A job as `GET /v1/jobs/{id}` gives it, with links to its results."""

    results: tuple[ResultLink, ...]  # type: ignore[assignment]


class Notice(Message):
    """The body of a webhook."""

    type: Literal["job.succeeded", "job.failed", "job.cancelled"]
    timestamp: Annotated[datetime, Field(description="When the job ended.")]
    data: EndedJob


def notice_of(job: Job) -> str:
    """The body that tells of a job's end, the same each time."""
    ended = EndedJob(**{**dict(job), "results": links(job)})
    kind = f"job.{job.state}"
    notice = Notice.model_validate({"type": kind, "timestamp": job.updated_at, "data": ended})
    return notice.model_dump_json()


def signed(signers: Sequence[Signer], job: Job, body: str) -> dict[str, str]:
    """The headers of a try that is made now, by Standard Webhooks.

    One signature by each secret: a receiver needs only one that it knows. The id is the same for
    each try, and another one if a job that was brought back ends again.
    """
    now = datetime.now(UTC)
    id = f"job_{job.id}_{int(job.updated_at.timestamp() * 1000)}"
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signer.sign(id, now, body) for signer in signers),
    }


@documented.post(
    "job-ended",
    status_code=204,
    responses={
        "2XX": {"description": "Heard."},
        "410": {"description": "Nothing more is wanted at this URL."},
        "default": {"description": "Not heard: it is told again."},
    },
)
def job_ended(
    notice: Notice,
    webhook_id: Annotated[str, Header(description="The same for each try.")],
    webhook_timestamp: Annotated[int, Header(description="When this try was made: Unix time.")],
    webhook_signature: Annotated[
        str, Header(description="`v1,` and the HMAC-SHA256 of `id.timestamp.body`, in base64.")
    ],
) -> None:
    """Sent to a job's `webhook` once it has ended (https://www.standardwebhooks.com)."""
