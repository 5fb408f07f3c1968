"""HTTP responses with an image or JSON: entity tags, conditions, ranges, timing headers."""

from fastapi import Request, Response

from contracts.errors import Gone
from contracts.imaging import Blob, Rendered
from contracts.message import Message
from services.gateway.http.ranges import requested_range
from services.runtime.storage.blobs import Blobs

IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}


def etag_of(key: str) -> str:
    """Return the strong entity tag of a blob, from its key."""
    return f'"{key}"'


def if_none_match(request: Request, tag: str) -> bool:
    """Return whether If-None-Match lists `tag`, by weak comparison (RFC 9110, section 13.1.2)."""
    return tag in {listed.removeprefix("W/") for listed in _if_none_match_list(request)}


def not_modified(tag: str, headers: dict[str, str]) -> Response:
    """Return a 304: the client's copy with this tag is current."""
    return Response(status_code=304, headers={"ETag": tag, **headers})


async def image_response(blobs: Blobs, blob: Blob, headers: dict[str, str]) -> Response:
    """Return the bytes of a blob as a 200. Raises Gone when the blob has expired."""
    return _image(await _read(blobs, blob), blob, headers)


async def resource_response(
    request: Request, blobs: Blobs, blob: Blob, headers: dict[str, str]
) -> Response:
    """Answer a GET for a blob: 200 with its bytes, 206 with a range of them, or 304.

    Raises Gone when the blob has expired, and HTTPException (416).
    """
    tag = etag_of(blob.key)
    if if_none_match(request, tag) or "*" in _if_none_match_list(request):
        return not_modified(tag, headers)
    data = await _read(blobs, blob)
    part = requested_range(request, tag, len(data))
    headers = {"Accept-Ranges": "bytes", **headers}
    if part is None:
        return _image(data, blob, headers)
    content_range = f"bytes {part.start}-{part.stop - 1}/{len(data)}"
    return _image(data[part], blob, {"Content-Range": content_range, **headers}, status=206)


def timing_headers(rendered: Rendered, *, worker: str, queue_ms: float) -> dict[str, str]:
    """Return `Server-Timing` (milliseconds per step) and `X-Worker` for a render.

    A reused rendition has no steps but its time in the queue.
    """
    steps = {"queue": queue_ms}
    if not rendered.reused:
        steps |= {
            "decode": rendered.decode_ms,
            "operations": rendered.operations_ms,
            "encode": rendered.encode_ms,
        }
    return {
        "Server-Timing": ", ".join(f"{name};dur={ms:.1f}" for name, ms in steps.items()),
        "X-Worker": worker,
    }


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


def _if_none_match_list(request: Request) -> list[str]:
    lines = ",".join(request.headers.getlist("if-none-match"))
    return [element.strip() for element in lines.split(",")]


async def _read(blobs: Blobs, blob: Blob) -> bytes:
    data = await blobs.get(blob)
    if data is None:
        raise Gone("The result has expired; ask for it again.")
    return data


def _image(data: bytes, blob: Blob, headers: dict[str, str], status: int = 200) -> Response:
    always = {"ETag": etag_of(blob.key), "X-Content-Type-Options": "nosniff"}
    return Response(data, status, media_type=blob.media_type, headers={**always, **headers})
