"""Dead letters: jobs that failed after their last attempt, and data that no worker can read."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from contracts.errors import Code
from contracts.jobs import DeadLetter, Job
from contracts.message import Message
from services.gateway.access.caller import caller_of
from services.gateway.dependencies import Injected
from services.gateway.http.list_response import ListResponse
from services.gateway.http.openapi import CHANGE_CODES, answer, problems
from services.gateway.http.responses import json_response
from services.gateway.jobs.responses import pending_response
from services.gateway.routes.parameters import JobIdPath

router = APIRouter(tags=["jobs"])


class DeadLetters(Message):
    """Dead letters."""

    dead_letters: Annotated[tuple[DeadLetter, ...], Field(description="The latest first.")]


Base64Fields = Annotated[
    dict[str, str], Field(description="Values in base64, by the name of the field.")
]


class RawDeadLetter(Message):
    """A dead letter as Redis holds it, a megabyte at most."""

    letter: Annotated[Base64Fields, Field(description="The fields of the dead letter itself.")]
    entry: Annotated[
        Base64Fields,
        Field(description="The fields of the stream's entry; empty for a job that was read."),
    ]
    record: Annotated[
        Base64Fields,
        Field(
            description="The fields of the job's record. A record that is no hash has one field: "
            "its type, and its value as `DUMP` returns it."
        ),
    ]
    complete: Annotated[bool, Field(description="Whether no value is cut off.")]


LetterPath = Annotated[
    str,
    Path(
        pattern=r"^([0-9a-f]{32}|[0-9]{1,19}-[0-9]{1,19})$",
        description="The dead letter's id, or its job's.",
    ),
]


@router.get(
    "/v1/dead-letters",
    summary="List the dead letters",
    response_model=DeadLetters,
    responses={200: answer("The dead letters."), **problems()},
)
async def dead_letters(
    request: Request,
    deps: Injected,
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of them.")] = 100,
) -> Response:
    """List the jobs that failed for good without a fault of their own, the latest first.

    A letter without a `request` is quarantined: its job's record, or its entry, can't be read.
    """
    letters = deps.jobs.dead_letters.latest(caller_of(request.scope).project, limit)
    return ListResponse("dead_letters", letters, deps.turn)


@router.get(
    "/v1/dead-letters/{letter_id}/raw",
    summary="Get a dead letter as it is stored",
    response_model=RawDeadLetter,
    responses={
        200: answer("The stored fields."),
        **problems(Code.NOT_FOUND),
    },
)
async def raw(letter_id: LetterPath, request: Request, deps: Injected) -> Response:
    """Return what Redis holds of a dead letter: to see why a record or an entry can't be read."""
    found = await deps.jobs.dead_letters.raw(caller_of(request.scope).project, letter_id)
    stored = RawDeadLetter(
        letter=_base64(found.letter),
        entry=_base64(found.entry),
        record=_base64(found.record),
        complete=found.complete,
    )
    return json_response(stored)


@router.delete(
    "/v1/dead-letters/{letter_id}",
    summary="Remove a dead letter",
    status_code=204,
    responses={
        204: answer("The dead letter is removed."),
        **problems(*CHANGE_CODES, Code.NOT_FOUND),
    },
)
async def remove(letter_id: LetterPath, request: Request, deps: Injected) -> Response:
    """Remove a dead letter. A record that can't be read is removed, too; another one expires."""
    await deps.jobs.dead_letters.remove(caller_of(request.scope).project, letter_id)
    return Response(status_code=204)


@router.post(
    "/v1/dead-letters/{job_id}/requeue",
    summary="Run a dead letter again",
    status_code=202,
    response_model=Job,
    responses={
        202: answer(
            "The job is queued again.",
            "Retry-After",
            location="The job.",
        ),
        **problems(*CHANGE_CODES, Code.NOT_FOUND, Code.GONE, Code.STORE_VOLATILE),
    },
)
async def requeue(job_id: JobIdPath, request: Request, deps: Injected) -> Response:
    """Run a dead letter again from its start, with all of its attempts and its time."""
    deps.store.check_durable()
    job = await deps.jobs.requeue(caller_of(request.scope).project, job_id)
    return pending_response(job)


def _base64(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {
        name.decode(errors="backslashreplace"): b64encode(value).decode()
        for name, value in fields.items()
    }
