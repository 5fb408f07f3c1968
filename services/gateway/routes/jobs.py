"""Render later: accepted at once, done by some worker, looked up or pushed when it has ended."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, ValidationError

from contracts.errors import InvalidOperation, InvalidRequest, ServiceError
from contracts.fields import BlobKey
from contracts.imaging import Blob
from contracts.jobs import Job, Variants, Webhook
from contracts.message import Message
from contracts.operations.notation import explain
from services.gateway.dependencies import AskedPipeline, Collaborators, Here, Preferred
from services.gateway.http.openapi import IMAGE_CONTENT, PROBLEMS
from services.gateway.jobs.submission import (
    JobIdHere,
    accept,
    ended,
    hold,
    json_response,
    lifetime,
    pending,
    standing,
)
from services.gateway.sources.upload import media_type

router = APIRouter(tags=["later"], responses=PROBLEMS)


class ImageSource(Message):
    """An image that was uploaded."""

    image: Annotated[BlobKey, Field(description="Its id.")]


class NewJob(Message):
    """What a job is to do."""

    source: ImageSource
    variants: Variants
    webhook: Annotated[Webhook | None, Field(description="Where its end is told.")] = None


class OpenJobs(Message):
    """The jobs that have not ended: those that run, that wait, that wait for a retry."""

    jobs: tuple[Job, ...]


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/NewJob"}},
            **IMAGE_CONTENT,
        },
    }
}


@router.post("/v1/jobs", status_code=202, response_model=Job, openapi_extra=_BODY)
async def submit(
    request: Request, here: Here, pipeline: AskedPipeline, preference: Preferred
) -> Response:
    """Accept a job: JSON that names an image and its variants, or an image with `?op=`.

    With `Prefer: wait=5` a job that ends within these seconds is answered as its status would be.
    """
    source, variants, webhook = await _asked(request, here, (pipeline,))
    job = await accept(request, here, source, variants, webhook)
    if done := await ended(job, here, preference):
        # What a GET answers with 302 is 303 after a POST (RFC 9110, section 15.4.4).
        answer = await standing(done, here, found=303)
        answer.headers.update(preference.applied)
        return answer
    return await pending(job, here, preference.applied)


@router.get("/v1/jobs", response_model=OpenJobs)
async def open_jobs(
    here: Here, limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100
) -> Response:
    """The jobs that have not ended."""
    return json_response(OpenJobs(jobs=tuple(await here.jobs.open(limit))))


@router.get("/v1/jobs/{job_id}", response_model=Job)
async def status(job_id: JobIdHere, here: Here) -> Response:
    """Where a job stands: 202 while it is open, 302 to what it gave, 200 when it gave nothing."""
    return await standing(await here.jobs.find(job_id), here, found=302)


@router.delete("/v1/jobs/{job_id}", status_code=202, response_model=Job)
async def cancel(job_id: JobIdHere, here: Here) -> Response:
    """End a job: what has not begun never does, what runs is stopped. 409 once it has ended."""
    job = await here.jobs.cancel(job_id)
    return json_response(job, 202, {"Location": f"/v1/jobs/{job.id}"})


async def _asked(
    request: Request, here: Collaborators, in_query: Variants
) -> tuple[Blob, Variants, Webhook | None]:
    if media_type(request) != "application/json":
        stored = await here.uploads.keep(request, ttl=lifetime(here))
        return stored.blob, in_query, None
    try:
        asked = NewJob.model_validate_json(await here.uploads.json(request))
    except ValidationError as exc:
        raise _refusal(exc) from exc
    source = await hold(here, asked.source.image)
    if asked.webhook is not None:
        here.webhooks.check(asked.webhook)
    return source, asked.variants, asked.webhook


def _refusal(error: ValidationError) -> ServiceError:
    """The same code as for a query, when what is wrong is what a query could have said."""
    about = {part for item in error.errors(include_input=False) for part in item["loc"]}
    kind = InvalidOperation if about & {"operations", "output"} else InvalidRequest
    return kind(explain(error))
