"""The results of a job: a link to the image of each variant, or the problem it ended in."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from contracts.errors import Code
from contracts.jobs import MAX_VARIANTS, OPEN_STATES, Job, JobId
from contracts.message import Message
from services.gateway.access.caller import caller_of
from services.gateway.dependencies import Injected
from services.gateway.http.openapi import (
    VARIANT_CODES,
    answer,
    problems,
    resource_answers,
    taking,
)
from services.gateway.http.responses import json_response
from services.gateway.jobs.responses import pending_response
from services.gateway.middleware.prefix import prefix_of
from services.gateway.result_links import ResultLink, links_of
from services.gateway.routes.direct.delivered import send_result
from services.gateway.routes.parameters import JobIdPath

router = APIRouter(tags=["jobs"])

_OPEN = answer(
    "The job is queued or running.",
    "Retry-After",
    location="The job.",
    model=Job,
)


class Results(Message):
    """The results of a job, in the order of its variants."""

    job: JobId
    results: Annotated[
        tuple[ResultLink, ...], Field(description="One for each variant that has ended, in order.")
    ]


@router.get(
    "/v1/jobs/{job_id}/results",
    summary="List the results of a job",
    response_model=Results,
    responses={
        200: answer("The results."),
        202: _OPEN,
        **problems(Code.NOT_FOUND, Code.GONE),
    },
)
async def results(job_id: JobIdPath, request: Request, deps: Injected) -> Response:
    """List the results of a job that has ended; answer 202 with the job while it is open."""
    job = await deps.jobs.find(caller_of(request.scope).project, job_id)
    if job.state in OPEN_STATES:
        return pending_response(job)
    links = links_of(job, prefix_of(request.scope))
    return json_response(Results(job=job.id, results=links))


@router.get(
    "/v1/jobs/{job_id}/results/{index}",
    summary="Fetch a result of a job",
    response_class=Response,
    openapi_extra=taking("If-Match", "If-None-Match", "Range", "If-Range"),
    responses={**resource_answers(), 202: _OPEN, **problems(*VARIANT_CODES)},
)
async def result(
    job_id: JobIdPath,
    index: Annotated[
        int, Path(ge=0, lt=MAX_VARIANTS, description="Number of the variant, from 0.")
    ],
    request: Request,
    deps: Injected,
) -> Response:
    """Return the image of a variant, or the problem that it ended in; 202 until it has ended."""
    return await send_result(job_id, index, request, deps=deps)
