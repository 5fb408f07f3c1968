"""HTTP responses with an image or JSON: entity tags, conditions, ranges, timing headers."""

import hashlib

from fastapi import Request, Response

from contracts.imaging import Blob, Rendered
from contracts.message import Message
from services.gateway.http.conditions import is_not_modified
from services.gateway.http.image_response import AnswerRoom, ImageResponse, Otherwise
from services.gateway.http.ranges import requested_range
from services.runtime.storage.blobs import Blobs, Seen


def etag_of(key: str) -> str:
    """Return the strong entity tag of a blob, from its key."""
    return f'"{key}"'


def not_modified(tag: str, headers: dict[str, str]) -> Response:
    """Return a 304: the client's copy with this tag is current."""
    return Response(status_code=304, headers={"ETag": tag, **headers})


def image_response(
    room: AnswerRoom, blobs: Blobs, blob: Blob, headers: dict[str, str], *, data: bytes = b""
) -> Response:
    """Return a 200 with the bytes of a blob, which raises Gone when the blob has expired.

    `data` has the bytes, if they are there already.
    """
    return _image(room, blobs, blob, headers, data=data)


def resource_response(
    request: Request,
    room: AnswerRoom,
    blobs: Blobs,
    blob: Blob,
    headers: dict[str, str],
    otherwise: Otherwise | None = None,
    data: bytes = b"",
    seen: Seen | None = None,
) -> Response:
    """Answer a GET for a blob: 200 with its bytes, 206 with a range of them, or 304.

    `data` has the bytes, if they are there already, and `seen` is the record of the blob, if it was
    read for this request.

    Raises PreconditionFailed and HTTPException (416); the response raises Gone when the blob has
    expired, or is the one that `otherwise` makes.
    """
    tag = etag_of(blob.key)
    if is_not_modified(request.headers, tag):
        return not_modified(tag, headers)
    part = requested_range(request, tag, blob.bytes)
    headers = {"Accept-Ranges": "bytes", **headers}
    if part is None:
        return _image(room, blobs, blob, headers, otherwise=otherwise, data=data, seen=seen)
    content_range = f"bytes {part.start}-{part.stop - 1}/{blob.bytes}"
    headers = {"Content-Range": content_range, **headers}
    return _image(room, blobs, blob, headers, part, 206, otherwise, data, seen)


def tagged_response(
    request: Request, content: bytes, media_type: str, headers: dict[str, str]
) -> Response:
    """Answer a GET with an entity tag that is made of the content: 200, or 304.

    Raises PreconditionFailed.
    """
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    if is_not_modified(request.headers, tag):
        return not_modified(tag, headers)
    return Response(content, media_type=media_type, headers={"ETag": tag, **headers})


def timing_headers(rendered: Rendered, *, worker: str, queue_ms: float) -> dict[str, str]:
    """Return `Server-Timing` (milliseconds per step) and `X-Worker` for a render.

    A reused rendition has no steps but its time in the queue.
    """
    timing = f"queue;dur={queue_ms:.1f}"
    if not rendered.reused:
        timing += (
            f", decode;dur={rendered.decode_ms:.1f}"
            f", operations;dur={rendered.operations_ms:.1f}"
            f", encode;dur={rendered.encode_ms:.1f}"
        )
    return {"Server-Timing": timing, "X-Worker": worker}


def json_response(
    body: Message, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a contract as JSON that caches must not store."""
    return Response(
        body.model_dump_json(),
        status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _image(
    room: AnswerRoom,
    blobs: Blobs,
    blob: Blob,
    headers: dict[str, str],
    part: slice | None = None,
    status: int = 200,
    otherwise: Otherwise | None = None,
    data: bytes = b"",
    seen: Seen | None = None,
) -> Response:
    always = {"ETag": etag_of(blob.key), "X-Content-Type-Options": "nosniff"}
    whole = slice(0, blob.bytes)
    return ImageResponse(
        blobs,
        blob,
        room,
        part=part or whole,
        status=status,
        headers={**always, **headers},
        otherwise=otherwise,
        data=data,
        seen=seen,
    )
