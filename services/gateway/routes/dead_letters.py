"""Dead letters: jobs that failed after their last attempt, with the reason."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from contracts.jobs import DeadLetter, Job
from contracts.message import Message
from services.gateway.dependencies import Injected
from services.gateway.http.openapi import PROBLEMS
from services.gateway.http.responses import json_response
from services.gateway.jobs import submission
from services.gateway.jobs.responses import pending_response
from services.gateway.routes.parameters import JobIdPath

router = APIRouter(tags=["jobs"], responses=PROBLEMS)


class DeadLetters(Message):
    """Dead letters, the latest first."""

    dead_letters: tuple[DeadLetter, ...]


@router.get("/v1/dead-letters", response_model=DeadLetters)
async def dead_letters(
    deps: Injected,
    limit: Annotated[int, Query(ge=1, le=1000, description="Return so many at most.")] = 100,
) -> Response:
    """List the jobs that failed after their last attempt, and why."""
    return json_response(DeadLetters(dead_letters=tuple(await deps.jobs.dead_letters(limit))))


@router.post("/v1/dead-letters/{job_id}/requeue", status_code=202, response_model=Job)
async def requeue(job_id: JobIdPath, deps: Injected) -> Response:
    """Run a dead letter again from its start, with all of its attempts."""
    return await pending_response(await submission.requeue(job_id, deps), deps)
