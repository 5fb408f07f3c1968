"""Jobs that were given up: why, and once more."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from contracts.jobs import DeadLetter, Job
from contracts.message import Message
from services.gateway.dependencies import Here
from services.gateway.http.openapi import PROBLEMS
from services.gateway.jobs.submission import JobIdHere, again, json_response, pending

router = APIRouter(tags=["later"], responses=PROBLEMS)


class DeadLetters(Message):
    """The jobs that were given up, the latest first."""

    dead_letters: tuple[DeadLetter, ...]


@router.get("/v1/dead-letters", response_model=DeadLetters)
async def dead_letters(
    here: Here, limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100
) -> Response:
    """What was tried as often as it may be, and why it was given up."""
    return json_response(DeadLetters(dead_letters=tuple(await here.jobs.dead_letters(limit))))


@router.post("/v1/dead-letters/{job_id}/requeue", status_code=202, response_model=Job)
async def requeue(job_id: JobIdHere, here: Here) -> Response:
    """Try a job again that was given up, as if it were new."""
    return await pending(await again(job_id, here), here)
