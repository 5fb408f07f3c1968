"""Render now: an image in, the result out, on one connection."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from contracts.errors import Conflict
from contracts.imaging import Render
from contracts.jobs import JobState
from contracts.methods import Transport
from contracts.operations.pipeline import Pipeline
from services.gateway.dependencies import (
    Afresh,
    AskedPipeline,
    AskedTimeout,
    Collaborators,
    Here,
    Preferred,
    Variance,
)
from services.gateway.http.disconnect import unless_left
from services.gateway.http.openapi import IMAGE_ANSWER, IMAGE_BODY, PROBLEMS
from services.gateway.http.prefer import Preference
from services.gateway.http.responses import image_response, timing
from services.gateway.jobs.submission import accept, ended, lifetime, pending

router = APIRouter(tags=["now"])


@router.post("/v1/render", openapi_extra=IMAGE_BODY, responses={**IMAGE_ANSWER, **PROBLEMS})
async def render(
    request: Request,
    here: Here,
    pipeline: AskedPipeline,
    timeout: AskedTimeout,
    afresh: Afresh,
    preference: Preferred,
    variance: Variance,
    transport: Annotated[
        Transport, Query(description="How the request travels to a worker.")
    ] = Transport.STREAM,
) -> Response:
    """Send an image and get the result.

    With `Prefer: respond-async` it is made later, as a job; with `wait=5`, too, unless it is there
    within these seconds.
    """
    if preference.respond_async:
        return await _later(request, here, pipeline, preference)
    stored = await here.uploads.keep(request, ttl=here.settings.rendition_ttl)
    question = Render(source=stored.blob, pipeline=pipeline, reuse=not afresh)
    answer = await unless_left(
        request, here.imaging.render(question, timeout=timeout, transport=transport)
    )
    waited = preference.applied if preference.wait and "timeout" not in request.query_params else {}
    headers = {**timing(answer), **waited, **variance}
    return await image_response(here.renditions, answer.reply.blob, headers)


async def _later(
    request: Request, here: Collaborators, pipeline: Pipeline, preference: Preference
) -> Response:
    stored = await here.uploads.keep(request, ttl=lifetime(here))
    job = await accept(request, here, stored.blob, (pipeline,))
    done = await ended(job, here, preference)
    if done is None:
        return await pending(job, here, preference.applied)
    if done.problem is not None:
        raise done.problem.error()
    if done.state is JobState.CANCELLED:
        raise Conflict("The job was cancelled.")
    blob = done.results[0].blob
    assert blob is not None
    return await image_response(here.renditions, blob, preference.applied)
