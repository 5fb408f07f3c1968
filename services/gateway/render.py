"""Render now: an image in, the result out, on one connection."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from contracts.imaging import Render
from contracts.methods import Transport
from services.gateway.dependencies import Afresh, AskedPipeline, AskedTimeout, Here
from services.gateway.leaving import unless_left
from services.gateway.openapi import IMAGE_ANSWER, IMAGE_BODY, PROBLEMS
from services.gateway.renditions import image_response, timing

router = APIRouter(tags=["now"])


@router.post("/v1/render", openapi_extra=IMAGE_BODY, responses={**IMAGE_ANSWER, **PROBLEMS})
async def render(
    request: Request,
    here: Here,
    pipeline: AskedPipeline,
    timeout: AskedTimeout,
    afresh: Afresh,
    transport: Annotated[
        Transport, Query(description="How the request travels to a worker.")
    ] = Transport.STREAM,
) -> Response:
    """Send an image and get the result."""
    stored = await here.uploads.keep(request, ttl=here.settings.rendition_ttl)
    question = Render(source=stored.blob, pipeline=pipeline, reuse=not afresh)
    answer = await unless_left(
        request, here.imaging.render(question, timeout=timeout, transport=transport)
    )
    return await image_response(here.renditions, answer.reply.blob, timing(answer))
