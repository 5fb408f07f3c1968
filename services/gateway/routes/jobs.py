"""Jobs: submit work for later, read its status, cancel it."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, ValidationError, model_validator
from starlette.exceptions import HTTPException

from contracts.errors import Code, InvalidOperation, InvalidRequest, ServiceError
from contracts.explanations import explain
from contracts.fields import BlobKey
from contracts.jobs import Job, Webhook
from contracts.labels import LABEL_TEXT, Label
from contracts.message import Message
from services.gateway.access.caller import caller_of
from services.gateway.dependencies import Dependencies, Injected
from services.gateway.http.list_response import ListResponse
from services.gateway.http.openapi import (
    CHANGE_CODES,
    FETCH_CODES,
    IMAGE_CONTENT,
    UPLOAD_CODES,
    answer,
    problems,
    taking,
)
from services.gateway.http.prefer import Preference
from services.gateway.http.responses import json_response
from services.gateway.jobs import submission
from services.gateway.jobs.responses import pending_response, status_response, wait_for_end
from services.gateway.routes.parameters import (
    OUTPUT_PARAMETERS,
    JobIdPath,
    JobLabel,
    PreferHeader,
    QueryPipeline,
)
from services.gateway.routes.variants import NewVariants, pipelines_of
from services.gateway.sources.acquire import Named, Sent
from services.gateway.sources.addresses import LONGEST
from services.gateway.sources.uploads.upload import media_type_of

router = APIRouter(tags=["jobs"])


_TIMEOUT = (
    "Seconds until the job fails unless it has ended, cut to `DARKROOM_JOB_TIMEOUT`, which is the "
    "default. All waits, attempts and variants count."
)


class ImageSource(Message):
    """An image that was uploaded before, or one of a source: either `image` or `url`."""

    image: Annotated[BlobKey | None, Field(description="The image's id.")] = None
    url: Annotated[
        str | None, Field(max_length=LONGEST, description="As `src` of `GET /v1/fetch`.")
    ] = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.image is None) == (self.url is None):
            raise ValueError("name the image either by `image` or by `url`")
        return self


class NewJob(Message):
    """A job to submit."""

    source: ImageSource
    variants: NewVariants
    webhook: Annotated[Webhook | None, Field(description="URL to notify of the job's end.")] = None
    timeout: Annotated[float | None, Field(gt=0, allow_inf_nan=False, description=_TIMEOUT)] = None
    label: Annotated[
        Label | None, Field(description=f"{LABEL_TEXT} Left out: the label of the image.")
    ] = None


class OpenJobs(Message):
    """The open jobs."""

    jobs: Annotated[
        tuple[Job, ...], Field(description="Running jobs, then queued ones, then retries.")
    ]


_SMALL_BODY = 1024
"""Bytes of a JSON body that is read, even an invalid one, in less time than its request takes."""

JSON = "application/json"
_FORM = "multipart/form-data"
_UNTYPED = frozenset(
    # curl sends the last one with `--data-binary` unless it is told the type.
    {"", "application/octet-stream", "application/x-www-form-urlencoded"}
)
_BODY = {
    JSON: {"schema": {"$ref": "#/components/schemas/NewJob"}},
    **IMAGE_CONTENT,
}


@router.post(
    "/v1/jobs",
    summary="Submit a job",
    status_code=202,
    response_model=Job,
    openapi_extra=taking(
        *("Prefer", "Accept", "Idempotency-Key", "X-Submitter"),
        query=OUTPUT_PARAMETERS,
        body=_BODY,
    ),
    responses={
        200: answer(
            "The job has ended without results, within the `wait` of `Prefer`.",
            "Preference-Applied",
            model=Job,
        ),
        202: answer(
            "The job is accepted: it will be done.",
            *("Retry-After", "Preference-Applied"),
            location="The job.",
        ),
        303: answer(
            "The job has succeeded, within the `wait` of `Prefer`.",
            "Preference-Applied",
            location="The image of a job with one variant, or the list of results.",
            model=Job,
        ),
        **problems(
            *UPLOAD_CODES,
            *FETCH_CODES,
            Code.INVALID_OPERATION,
            Code.NOT_FOUND,
            Code.GONE,
            Code.KEY_REUSED,
            Code.QUOTA_EXCEEDED,
            Code.OVERLOADED,
            Code.STORE_VOLATILE,
        ),
    },
)
async def submit(
    request: Request,
    deps: Injected,
    pipeline: QueryPipeline,
    preference: PreferHeader,
    timeout: Annotated[float | None, Query(gt=0, allow_inf_nan=False, description=_TIMEOUT)] = None,
    label: JobLabel = None,
) -> Response:
    """Submit a job: a `NewJob` in JSON, or an image with the pipeline in the query.

    A JSON body names an uploaded image, or one of a source, and has one pipeline for each variant;
    a pipeline, a `timeout` and a `label` in the query are ignored then. With `Prefer: wait=5` the
    response to a job that ends within 5 seconds is its last status.
    """
    media_type = media_type_of(request)
    if media_type == JSON:
        return await submit_json(request, deps, preference, await deps.uploads.read_json(request))
    _refuse_other_types(media_type)
    image = await deps.acquirer.acquire(Sent(ttl=deps.settings.job_ttl), request)
    job = await submission.submit(
        *(request, deps, image.stored.blob.key, (pipeline,)),
        timeout=timeout,
        label=label or image.label,
    )
    return await _accepted(request, job, deps, preference)


async def submit_json(
    request: Request, deps: Dependencies, preference: Preference, body: bytes
) -> Response:
    """Submit the job that a request's JSON describes. `PlainSubmission` calls this as well."""
    new = await _new_job(body, deps)
    variants = pipelines_of(new.variants, deps.presets, caller_of(request.scope).project)
    image, label, url = new.source.image, new.label or "", new.source.url or ""
    if image is None:
        fetched = await deps.acquirer.acquire(Named(url), request)
        image, label = fetched.stored.blob.key, label or fetched.label
    job = await submission.submit(
        *(request, deps, image, variants, new.webhook),
        timeout=new.timeout,
        label=label,
        named=url,
    )
    return await _accepted(request, job, deps, preference)


@router.get(
    "/v1/jobs",
    summary="List the open jobs",
    response_model=OpenJobs,
    responses={200: answer("The jobs."), **problems()},
)
async def open_jobs(
    request: Request,
    deps: Injected,
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of jobs.")] = 100,
) -> Response:
    """List the jobs that have not ended."""
    project = caller_of(request.scope).project
    return ListResponse("jobs", deps.jobs.open(project, limit), deps.turn)


@router.get(
    "/v1/jobs/{job_id}",
    summary="Get a job",
    response_model=Job,
    responses={
        200: answer("The job has failed, or was cancelled."),
        202: answer(
            "The job is queued or running.",
            "Retry-After",
            location="The job.",
            model=Job,
        ),
        302: answer(
            "The job has succeeded.",
            location="The image of a job with one variant, or the list of results.",
            model=Job,
        ),
        **problems(Code.NOT_FOUND, Code.GONE),
    },
)
async def status(job_id: JobIdPath, request: Request, deps: Injected) -> Response:
    """Return a job: 202 while it is open, 302 to its results, 200 if it ended without any."""
    job = await deps.jobs.find(caller_of(request.scope).project, job_id)
    return status_response(job, redirect=302)


@router.delete(
    "/v1/jobs/{job_id}",
    summary="Cancel a job",
    status_code=202,
    response_model=Job,
    responses={
        202: answer("The job is cancelled.", location="The job."),
        **problems(*CHANGE_CODES, Code.NOT_FOUND, Code.GONE, Code.CONFLICT),
    },
)
async def cancel(job_id: JobIdPath, request: Request, deps: Injected) -> Response:
    """Cancel a job, queued or running; 409 if it has ended otherwise."""
    job = await deps.jobs.cancel(caller_of(request.scope).project, job_id)
    return json_response(job, 202, {"Location": f"/v1/jobs/{job.id}"})


async def _accepted(
    request: Request, job: Job, deps: Dependencies, preference: Preference
) -> Response:
    """Answer the request of a job, once it has ended if the client prefers to wait for that."""
    if ended := await wait_for_end(request, job, deps, preference):
        response = status_response(ended, redirect=303)
        response.headers.update(preference.applied)
        return response
    return pending_response(job, preference.applied)


def _refuse_other_types(media_type: str) -> None:
    """Raise HTTPException (415) for a body that its sender calls neither JSON nor an image."""
    if media_type.startswith("image/") or media_type in _UNTYPED or media_type == _FORM:
        return
    raise HTTPException(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "A job is JSON, an image, or a form with an image.",
        headers={"Accept": f"application/json, image/*, {_FORM}, application/octet-stream"},
    )


async def _new_job(body: bytes, deps: Dependencies) -> NewJob:
    try:
        if len(body) <= _SMALL_BODY:
            new = NewJob.model_validate_json(body)
        else:
            async with deps.turn:
                new = NewJob.model_validate_json(body)
                await asyncio.sleep(0)  # other tasks run before the next one is read
    except ValidationError as exc:
        raise _service_error(exc) from exc
    if new.webhook is not None:
        deps.webhooks.check(new.webhook)
    return new


def _service_error(error: ValidationError) -> ServiceError:
    """Return InvalidOperation for an error in a pipeline, as for one in a query."""
    names = {name for item in error.errors(include_input=False) for name in item["loc"]}
    kind = InvalidOperation if names & {"operations", "output"} else InvalidRequest
    return kind(explain(error, NewJob))
