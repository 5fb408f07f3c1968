"""Dead letters: jobs that failed after their last attempt, with the reason."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from contracts.errors import Code
from contracts.jobs import DeadLetter, Job
from contracts.message import Message
from services.gateway.dependencies import Injected
from services.gateway.http.openapi import CHANGE_CODES, answer, problems
from services.gateway.http.responses import json_response
from services.gateway.jobs.responses import pending_response
from services.gateway.routes.parameters import JobIdPath

router = APIRouter(tags=["jobs"])


class DeadLetters(Message):
    """Dead letters."""

    dead_letters: Annotated[tuple[DeadLetter, ...], Field(description="The latest first.")]


@router.get(
    "/v1/dead-letters",
    summary="List the dead letters",
    response_model=DeadLetters,
    responses={200: answer("The dead letters.", "Cache-Control"), **problems()},
)
async def dead_letters(
    deps: Injected,
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of them.")] = 100,
) -> Response:
    """List the jobs that failed for good without a fault of their own, the latest first."""
    return json_response(DeadLetters(dead_letters=tuple(await deps.jobs.dead_letters(limit))))


@router.post(
    "/v1/dead-letters/{job_id}/requeue",
    summary="Run a dead letter again",
    status_code=202,
    response_model=Job,
    responses={
        202: answer(
            "The job is queued again.",
            *("Retry-After", "Cache-Control"),
            location="The job.",
        ),
        **problems(*CHANGE_CODES, Code.NOT_FOUND, Code.STORE_VOLATILE),
    },
)
async def requeue(job_id: JobIdPath, deps: Injected) -> Response:
    """Run a dead letter again from its start, with all of its attempts and its time."""
    deps.store.check_durable()
    return await pending_response(await deps.jobs.requeue(job_id), deps)
