"""Images that stay: uploaded once, fetched, described, and rendered again and again."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from contracts.errors import ImageTooBig, ImageUnreadable, NotFound, UnsupportedFormat
from contracts.fields import BlobKey
from contracts.imaging import Depth, Inspect, Inspected, MediaType, Render
from contracts.message import Message
from services.gateway.dependencies import (
    Afresh,
    AskedPipeline,
    AskedTimeout,
    Collaborators,
    Here,
    Variance,
)
from services.gateway.http.disconnect import unless_left
from services.gateway.http.openapi import IMAGE_ANSWER, IMAGE_BODY, PROBLEMS
from services.gateway.http.responses import (
    IMMUTABLE,
    etag,
    names,
    not_modified,
    resource_response,
    timing,
)
from services.runtime.storage.blobs import StoredBlob

router = APIRouter(tags=["images"], responses=PROBLEMS)

NOT_AN_IMAGE = (ImageUnreadable, UnsupportedFormat, ImageTooBig)

ImageId = Annotated[str, Path(description="The image's id: the SHA-256 of its bytes.")]


class Uploaded(Message):
    """An image that can be asked for by its id."""

    id: BlobKey
    media_type: MediaType
    width: Annotated[int, Field(description="Pixels across, once upright.")]
    height: Annotated[int, Field(description="Pixels down, once upright.")]
    bytes: Annotated[int, Field(description="How many bytes it has.")]


@router.post("/v1/images", status_code=201, openapi_extra=IMAGE_BODY)
async def upload(request: Request, response: Response, here: Here) -> Uploaded:
    """Keep an image; 200 instead of 201 when it was there already."""
    stored = await here.uploads.keep(request, ttl=here.settings.image_ttl)
    if stored.note:
        response.status_code = 200
    inspected = await _inspected(stored, here)
    response.headers["Location"] = f"/v1/images/{stored.blob.key}"
    return Uploaded(
        id=stored.blob.key,
        media_type=inspected.media_type,
        width=inspected.width,
        height=inspected.height,
        bytes=stored.blob.bytes,
    )


@router.get("/v1/images/{image_id}", responses=IMAGE_ANSWER)
async def fetch(image_id: ImageId, request: Request, here: Here) -> Response:
    """The bytes of an image, as they were uploaded."""
    stored = await _found(image_id, here)
    # What came with a render or a job has not been looked at yet.
    inspected = await _inspected(stored, here)
    blob = stored.blob.model_copy(update={"media_type": inspected.media_type})
    return await resource_response(request, here.images, blob, IMMUTABLE)


@router.get("/v1/images/{image_id}/info")
async def info(
    image_id: ImageId,
    here: Here,
    gps: Annotated[bool, Query(description="Whether to say where it was taken.")] = False,
) -> Inspected:
    """What an image is: its header, its colours, a placeholder, how it was taken."""
    inspected = await _inspected(await _found(image_id, here), here, Depth.PIXELS)
    assert inspected.details is not None
    if gps:
        return inspected
    details = inspected.details.model_copy(update={"place": None})
    return inspected.model_copy(update={"details": details})


@router.get("/v1/images/{image_id}/render", responses=IMAGE_ANSWER)
async def render(
    image_id: ImageId,
    request: Request,
    here: Here,
    pipeline: AskedPipeline,
    timeout: AskedTimeout,
    afresh: Afresh,
    variance: Variance,
) -> Response:
    """The image taken through a pipeline; a result that is still there is not made again."""
    stored = await _found(image_id, here)
    question = Render(source=stored.blob, pipeline=pipeline, reuse=not afresh)
    key = question.result_key()
    always = {**IMMUTABLE, **variance}
    if not afresh:
        if names(request, etag(key)):
            return not_modified(etag(key), always)
        kept = await here.renditions.find(key, ttl=here.settings.rendition_ttl)
        if kept is not None:
            hit = {"Cache-Status": "darkroom; hit", **always}
            return await resource_response(request, here.renditions, kept.blob, hit)
    answer = await unless_left(request, here.imaging.render(question, timeout=timeout))
    status = f"darkroom; fwd={'request' if afresh else 'miss'}"
    miss = {"Cache-Status": status, **always, **timing(answer)}
    return await resource_response(request, here.renditions, answer.reply.blob, miss)


async def _found(image_id: str, here: Collaborators) -> StoredBlob:
    stored = await here.images.find(image_id)
    if stored is None:
        raise NotFound("There is no image with this id; it may have expired.")
    return stored


async def _inspected(
    stored: StoredBlob, here: Collaborators, depth: Depth = Depth.HEADER
) -> Inspected:
    """What is noted of an image, or what a worker finds; bytes that are no image are not kept."""
    if stored.note:
        noted = Inspected.model_validate_json(stored.note)
        if noted.details is not None or depth is Depth.HEADER:
            return noted
    # Where it was taken is noted as well, and told to who asks for it.
    question = Inspect(source=stored.blob, depth=depth, place=True)
    try:
        answer = await here.imaging.inspect(question, timeout=here.settings.inspect_timeout)
    except NOT_AN_IMAGE:
        await here.images.delete(stored.blob.key)
        raise
    found = answer.reply
    ttl = here.settings.image_ttl
    await here.images.describe(stored.blob, found.media_type, found, ttl=ttl)
    return found
