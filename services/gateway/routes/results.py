"""What a job gave: where each variant's image is, or why there is none."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from contracts.errors import NotFound
from contracts.jobs import MAX_VARIANTS, OPEN_STATES
from contracts.message import Message
from services.gateway.dependencies import Here
from services.gateway.http.openapi import IMAGE_ANSWER, PROBLEMS
from services.gateway.http.responses import IMMUTABLE, resource_response
from services.gateway.jobs.submission import JobIdHere, json_response, pending
from services.gateway.result_links import ResultLink, links

router = APIRouter(tags=["later"], responses=PROBLEMS)


class Results(Message):
    """The outcomes of a job, in the order of its variants."""

    job: str
    results: tuple[ResultLink, ...]


@router.get("/v1/jobs/{job_id}/results", response_model=Results)
async def results(job_id: JobIdHere, here: Here) -> Response:
    """What a job gave; 202 with the job itself while it is open."""
    job = await here.jobs.find(job_id)
    if job.state in OPEN_STATES:
        return await pending(job, here)
    return json_response(Results(job=job.id, results=links(job)))


@router.get("/v1/jobs/{job_id}/results/{index}", responses=IMAGE_ANSWER)
async def result(
    job_id: JobIdHere,
    index: Annotated[int, Path(ge=0, lt=MAX_VARIANTS)],
    request: Request,
    here: Here,
) -> Response:
    """The image that a variant gave, or the problem that it ended in."""
    job = await here.jobs.find(job_id)
    if index >= len(job.variants):
        raise NotFound(f"The job has {len(job.variants)} variants; they count from 0.")
    if index >= len(job.results):
        if job.state in OPEN_STATES:
            return await pending(job, here)
        raise NotFound("The job ended before this variant was done.")
    outcome = job.results[index]
    if outcome.problem is not None:
        raise outcome.problem.error()
    assert outcome.blob is not None
    return await resource_response(request, here.renditions, outcome.blob, IMMUTABLE)
