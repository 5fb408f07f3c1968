"""Body and headers of a webhook by Standard Webhooks, and their entry in the OpenAPI document."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header
from pydantic import Field
from standardwebhooks import Webhook as Signer

from contracts.jobs import Job
from contracts.message import Message
from services.gateway.result_links import ResultLink, links_of

documentation = APIRouter(tags=["jobs"])
"""The `webhooks` section of the OpenAPI document; the gateway serves none of it."""


class EndedJob(Job):
    """A job as `GET /v1/jobs/{id}` returns it, with links to its results."""

    results: tuple[ResultLink, ...]  # type: ignore[assignment]


class WebhookPayload(Message):
    """The body of a webhook."""

    type: Literal["job.succeeded", "job.failed", "job.cancelled"]
    timestamp: Annotated[datetime, Field(description="When the job ended.")]
    data: EndedJob


def body_of(job: Job) -> str:
    """Return the body that reports the end of a job as JSON; the same for every try."""
    ended = EndedJob(**{**dict(job), "results": links_of(job)})
    payload = WebhookPayload.model_validate(
        {"type": f"job.{job.state}", "timestamp": job.updated_at, "data": ended}
    )
    return payload.model_dump_json()


def signed_headers(signers: Sequence[Signer], job: Job, body: str) -> dict[str, str]:
    """Return the headers of a try that is made now, by Standard Webhooks.

    There is one signature per secret; a receiver needs to know only one of them. The id is the same
    for every try, and a new one when a job that was requeued ends again.
    """
    now = datetime.now(UTC)
    id = f"job_{job.id}_{int(job.updated_at.timestamp() * 1000)}"
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signer.sign(id, now, body) for signer in signers),
    }


@documentation.post(
    "job-ended",
    status_code=204,
    responses={
        "2XX": {"description": "Accepted."},
        "410": {"description": "Send nothing more to this URL."},
        "default": {"description": "Not accepted: the webhook is sent again."},
    },
)
def job_ended(
    payload: WebhookPayload,
    webhook_id: Annotated[str, Header(description="The same for every try.")],
    webhook_timestamp: Annotated[int, Header(description="When this try was made: Unix time.")],
    webhook_signature: Annotated[
        str, Header(description="`v1,` and the HMAC-SHA256 of `id.timestamp.body`, in base64.")
    ],
) -> None:
    """Sent to a job's `webhook` once the job has ended (https://www.standardwebhooks.com)."""
