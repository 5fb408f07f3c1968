"""Stored images: upload one once, then fetch, describe and render it many times."""

from math import ceil
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from contracts.errors import Code, NotFound
from contracts.imaging import Inspected
from contracts.labels import LABEL_TEXT, Label
from services.gateway.access.caller import caller_of
from services.gateway.dependencies import Injected
from services.gateway.http.conditions import check_match
from services.gateway.http.freshness import NO_STORE
from services.gateway.http.openapi import (
    CHANGE_CODES,
    IMAGE_CONTENT,
    INSPECT_CODES,
    RENDER_CODES,
    UPLOAD_CODES,
    answer,
    description_answers,
    problems,
    resource_answers,
    taking,
)
from services.gateway.http.responses import (
    etag_of,
    tagged_response,
)
from services.gateway.image_entries import MAX_TTL, Uploaded
from services.gateway.routes.direct.delivered import (
    MISSING_IMAGE,
    Wanted,
    find_image,
    send_image,
    send_rendition,
)
from services.gateway.routes.direct.descriptions import inspect, inspect_pixels
from services.gateway.routes.parameters import (
    OUTPUT_PARAMETERS,
    ImageId,
    NoCache,
    QueryPipeline,
    Timeout,
    VaryHeader,
    Version,
)
from services.gateway.sources.acquire import Sent

router = APIRouter(tags=["images"])

# Seconds that an upload is kept, beyond the limit of its inspection, until it has been read.
_UNREAD_LIFE = 60

# Seconds. A new version of the gateway or of a worker may describe the same image otherwise.
_DESCRIPTION_LIFE = 3600


@router.post(
    "/v1/images",
    summary="Upload an image",
    status_code=201,
    openapi_extra=taking(body=IMAGE_CONTENT),
    responses={
        200: answer("The image was stored before.", location="The image.", model=Uploaded),
        201: answer("The image is stored.", location="The image."),
        **problems(*UPLOAD_CODES, *INSPECT_CODES),
    },
)
async def upload(
    request: Request,
    response: Response,
    deps: Injected,
    ttl: Annotated[
        int | None,
        Query(
            ge=1,
            le=MAX_TTL,
            description="Seconds until the image expires; about a minute at least.",
        ),
    ] = None,
    label: Annotated[Label | None, Query(description=LABEL_TEXT)] = None,
) -> Uploaded:
    """Store an image: 201, or 200 if the same image is stored already.

    It is kept until it is deleted, unless `ttl` or `DARKROOM_IMAGE_TTL` says otherwise. Uploading
    it again never shortens its life. Without a `label`, the name of a form's file becomes the label
    of an image that has none.
    """
    # Bytes that nobody can read are not deleted, as somebody else may have uploaded the same bytes:
    # they expire soon unless somebody keeps them for longer.
    unread = ceil(deps.settings.inspect_timeout) + _UNREAD_LIFE
    uploaded = await deps.acquirer.acquire(Sent(ttl=unread, kept=True), request)
    stored = uploaded.stored
    if stored.note:
        response.status_code = 200
    inspected = await inspect(stored, deps)
    name = label or ("" if stored.label else uploaded.file_name)
    kept = await deps.kept.settle(stored, ttl=ttl or deps.settings.image_ttl, label=name)
    response.headers["Location"] = f"/v1/images/{stored.blob.key}"
    return Uploaded.of(kept, width=inspected.width, height=inspected.height)


@router.get(
    "/v1/images/{image_id}",
    summary="Fetch an image",
    response_class=Response,
    openapi_extra=taking("If-Match", "If-None-Match", "Range", "If-Range"),
    responses={
        **resource_answers("Age", "Cache-Status"),
        **problems(*INSPECT_CODES, Code.NOT_FOUND),
    },
)
async def fetch(image_id: ImageId, request: Request, deps: Injected) -> Response:
    """Return the bytes of an image as they were uploaded."""
    return await send_image(image_id, request, deps=deps)


@router.get(
    "/v1/images/{image_id}/info",
    summary="Describe an image",
    response_model=Inspected,
    openapi_extra=taking("If-Match", "If-None-Match"),
    responses={
        **description_answers("The description."),
        **problems(*INSPECT_CODES, Code.NOT_FOUND, Code.QUOTA_EXCEEDED),
    },
)
async def info(
    image_id: ImageId,
    request: Request,
    deps: Injected,
    gps: Annotated[bool, Query(description="Whether to include where it was taken.")] = False,
) -> Response:
    """Describe an image: format, size, colours, a placeholder, and how it was taken."""
    stored = await find_image(image_id, request, deps)
    inspected = await inspect_pixels(request, stored, deps)
    assert inspected.details is not None
    if not gps:
        details = inspected.details.model_copy(update={"place": None})
        inspected = inspected.model_copy(update={"details": details})
    content = inspected.model_dump_json().encode()
    fresh = NO_STORE
    if not stored.no_store:
        fresh = {"Cache-Control": f"max-age={int(min(_DESCRIPTION_LIFE, stored.life))}"}
    return tagged_response(request, content, "application/json", fresh)


@router.get(
    "/v1/images/{image_id}/render",
    summary="Render an uploaded image",
    response_class=Response,
    openapi_extra=taking(
        *("Accept", "Cache-Control", "If-Match", "If-None-Match", "Range", "If-Range", "Prefer"),
        query=OUTPUT_PARAMETERS,
    ),
    responses={
        **resource_answers("Age", "Cache-Status", "Server-Timing", "X-Worker"),
        **problems(*RENDER_CODES),
    },
)
async def render(
    image_id: ImageId,
    request: Request,
    deps: Injected,
    pipeline: QueryPipeline,
    timeout: Timeout,
    no_cache: NoCache,
    vary: VaryHeader,
    version: Version = None,
) -> Response:
    """Return an uploaded image after a pipeline.

    A stored result is sent again, unless the request has `Cache-Control: no-cache`. Of `Prefer`,
    `wait` alone counts here: the seconds to wait for the result.
    """
    wanted = Wanted(pipeline, pipeline.model_dump_json(), vary, version)
    return await send_rendition(
        image_id, wanted, request, deps=deps, timeout=timeout, no_cache=no_cache
    )


@router.delete(
    "/v1/images/{image_id}/renditions",
    summary="Delete what was made from an image",
    status_code=204,
    responses={
        204: answer("No result of this image is stored any more."),
        **problems(*CHANGE_CODES, Code.NOT_FOUND),
    },
)
async def delete_renditions(image_id: ImageId, request: Request, deps: Injected) -> Response:
    """Delete the stored results that were made from an image, and keep the image.

    The next request for one of them renders it again.
    """
    project = caller_of(request.scope).project
    key = await deps.purge.within(project, image_id)
    await deps.purge.renditions(project, key)
    await deps.delivery.purge(key)
    return Response(status_code=204)


@router.delete(
    "/v1/images/{image_id}",
    summary="Delete an image",
    status_code=204,
    openapi_extra=taking("If-Match"),
    responses={
        204: answer("The image is deleted."),
        **problems(*CHANGE_CODES, Code.NOT_FOUND, Code.PRECONDITION_FAILED),
    },
)
async def delete(image_id: ImageId, request: Request, deps: Injected) -> Response:
    """Delete an image and everything that was made from it, with it as a watermark, too.

    Renders that run meanwhile end with 410, and jobs that still need the image fail with `gone`.
    """
    check_match(request.headers, etag_of(image_id))
    project = caller_of(request.scope).project
    key = await deps.purge.within(project, image_id)
    deleted = await deps.purge.image(project, key)
    # Even if nothing was there: an attempt before may have failed between both.
    await deps.delivery.purge(key)
    if not deleted:
        raise NotFound(MISSING_IMAGE)
    return Response(status_code=204)
