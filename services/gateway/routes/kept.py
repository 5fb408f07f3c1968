"""The list of kept images, and changes of an image's label and life."""

from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, ValidationError
from starlette.exceptions import HTTPException

from contracts.errors import Code, InvalidRequest, NotFound
from contracts.explanations import explain
from contracts.fields import Expected
from contracts.labels import Label
from contracts.message import Message
from services.gateway.access.caller import caller_of
from services.gateway.dependencies import Injected
from services.gateway.http.conditions import check_match
from services.gateway.http.list_response import ListResponse
from services.gateway.http.openapi import UPLOAD_CODES, answer, problems, taking
from services.gateway.http.responses import etag_of, json_response
from services.gateway.image_entries import MAX_TTL, ListedImage, entry_of
from services.gateway.middleware.prefix import prefix_of
from services.gateway.routes.parameters import ImageId
from services.gateway.sources.uploads.upload import media_type_of
from services.runtime.storage.kept import Kept, Life, Position

router = APIRouter(tags=["images"])

_JSON = "application/json"


class ImageList(Message):
    """A page of the list of images."""

    images: Annotated[tuple[ListedImage, ...], Field(description="Newest first.")]
    next: Annotated[
        str | None, Field(description="Address of the next page; null on the last one.")
    ]


class ImageChange(Message):
    """A change of an image. A field that is left out stays as it is."""

    label: Annotated[Label | None, Field(description="A new label; null or empty for none.")] = None
    ttl: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_TTL,
            description="Seconds from now until the image expires; null: kept until it is deleted.",
        ),
    ] = None


@router.get(
    "/v1/images",
    summary="List the images",
    response_model=ImageList,
    responses={200: answer("A page of the list.", "Link"), **problems()},
)
async def list_images(
    request: Request,
    deps: Injected,
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of images.")] = 100,
    after: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9]{1,15}-[0-9a-f]{64}$",
            description="Where the page begins, as `next` of the page before names it.",
        ),
        Expected("should be the `next` of the page before"),
    ] = None,
) -> Response:
    """List the images that were uploaded and are kept, newest first.

    `next`, and the header `Link`, lead to the next page, until the last one has none. No image is
    listed twice, and none is left out that was there all the time, whatever is uploaded and deleted
    meanwhile. A page may have fewer images than `limit`, and have a next one: some have expired.
    """
    project = caller_of(request.scope).project
    page = await deps.kept.page(project, limit, _position(after) if after else None)
    following = None
    if page.next is not None:
        place = f"{page.next.created}-{page.next.key}"
        following = f"/v1/images?{urlencode({'limit': limit, 'after': place})}"
    headers = {"Link": f'<{following}>; rel="next"'} if following else {}
    end = {"next": following and prefix_of(request.scope) + following}
    return ListResponse("images", _entries(page.images), deps.turn, end=end, headers=headers)


@router.put(
    "/v1/images/{image_id}",
    summary="Change the label or the life of an image",
    response_model=ListedImage,
    openapi_extra=taking(
        "If-Match", body={_JSON: {"schema": {"$ref": "#/components/schemas/ImageChange"}}}
    ),
    responses={
        200: answer("The image as it is now."),
        **problems(
            *UPLOAD_CODES, Code.NOT_FOUND, Code.GONE, Code.CONFLICT, Code.PRECONDITION_FAILED
        ),
    },
)
async def change(image_id: ImageId, request: Request, deps: Injected) -> Response:
    """Give an uploaded image another label or another life; its bytes never change.

    The body is JSON, as `null` says what no parameter of a query could: `{"ttl": null}` keeps the
    image until it is deleted, `{"label": null}` takes its label away. Fields that are left out stay
    as they are. Unlike another upload, `ttl` may shorten a life; the image of an open job is kept
    until the job's deadline in any case, and `expires` of the answer says so.
    """
    if media_type_of(request) != _JSON:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            'A change is JSON, such as {"label": "kitchen.jpg"}; bytes are uploaded with POST.',
            headers={"Accept": _JSON},
        )
    try:
        new = ImageChange.model_validate_json(await deps.uploads.read_json(request))
    except ValidationError as exc:
        raise InvalidRequest(explain(exc, ImageChange)) from exc
    check_match(request.headers, etag_of(image_id))
    kept = await deps.kept.change(
        caller_of(request.scope).project,
        image_id,
        label=(new.label or "") if "label" in new.model_fields_set else None,
        life=(new.ttl or Life.ENDLESS) if "ttl" in new.model_fields_set else Life.UNCHANGED,
    )
    if kept is None:
        raise NotFound("There is no image with this id; it may have expired.")
    await deps.delivery.purge(image_id)
    return json_response(entry_of(kept))


async def _entries(images: Sequence[Kept]) -> AsyncIterator[ListedImage]:
    for kept in images:
        yield entry_of(kept)


def _position(after: str) -> Position:
    created, _, key = after.partition("-")
    return Position(int(created), key)
