"""Body and headers of a webhook by Standard Webhooks, and their entry in the OpenAPI document."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header
from pydantic import ConfigDict, Field
from standardwebhooks import Webhook as Signer

from contracts import examples
from contracts.access.keys import DEFAULT_PROJECT, ProjectName
from contracts.jobs import Job
from contracts.message import Message
from services.gateway.result_links import ResultLink, links_of

documentation = APIRouter(tags=["jobs"])
"""The `webhooks` section of the OpenAPI document; the gateway serves none of it."""


class EndedJob(Job):
    """A job as `GET /v1/jobs/{job_id}` returns it, with links to its results."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": examples.JOB_ID,
                    "state": "succeeded",
                    "source": examples.BLOB,
                    "variants": [examples.PIPELINE],
                    "results": [
                        {
                            "href": f"/v1/jobs/{examples.JOB_ID}/results/0",
                            "media_type": "image/webp",
                            "bytes": 48213,
                            "width": 720,
                            "height": 588,
                            "problem": None,
                        }
                    ],
                    "submitter": "198.51.100.7",
                    "label": "kitchen.jpg",
                    "created_at": examples.TIME,
                    "updated_at": examples.TIME,
                    "webhook": {"host": "agency.example"},
                }
            ]
        }
    )

    # Links in the place of the job's results, of which mypy knows the type.
    results: Annotated[  # type: ignore[assignment]
        tuple[ResultLink, ...], Field(description="One for each variant that has ended, in order.")
    ]


class WebhookPayload(Message):
    """The body of a webhook."""

    type: Annotated[
        Literal["job.succeeded", "job.failed", "job.cancelled"],
        Field(description="How the job ended."),
    ]
    timestamp: Annotated[datetime, Field(description="When the job ended.")]
    project: Annotated[
        ProjectName, Field(description="The project of the job; left out for `default`.")
    ] = DEFAULT_PROJECT
    data: EndedJob


def body_of(project: str, job: Job, prefix: str) -> str:
    """Return the body that reports the end of a job as JSON; the same for every try."""
    ended = EndedJob(**{**dict(job), "results": links_of(job, prefix)})
    payload = WebhookPayload.model_validate(
        {
            "type": f"job.{job.state}",
            "timestamp": job.updated_at,
            "project": project,
            "data": ended,
        }
    )
    # Receivers that know no projects get the body that they have always got.
    return payload.model_dump_json(exclude={"project"} if project == DEFAULT_PROJECT else None)


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
    summary="Report the end of a job",
    status_code=204,
    response_description="Accepted, as with any other 2xx.",
    responses={
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
    traceparent: Annotated[
        str | None, Header(description="The trace of the submission, if it is traced.")
    ] = None,
) -> None:
    """The gateway sends this to the `webhook` of a job that has ended, by Standard Webhooks."""
