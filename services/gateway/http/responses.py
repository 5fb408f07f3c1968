"""An image as an HTTP answer: on its own, or as a resource with its conditions and ranges."""

from fastapi import Request, Response

from contracts.errors import Gone
from contracts.imaging import Blob, Rendered
from services.gateway.http.ranges import asked_range
from services.gateway.rpc import Answer
from services.runtime.storage.blobs import Blobs

IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}


def etag(key: str) -> str:
    """A strong entity tag: the key says which bytes they are."""
    return f'"{key}"'


def names(request: Request, tag: str) -> bool:
    """Whether If-None-Match lists `tag`, by weak comparison (RFC 9110, section 13.1.2)."""
    return tag in {part.removeprefix("W/") for part in _if_none_match(request)}


def not_modified(tag: str, headers: dict[str, str]) -> Response:
    """What tells a client that its copy is still the right one."""
    return Response(status_code=304, headers={"ETag": tag, **headers})


async def image_response(blobs: Blobs, blob: Blob, headers: dict[str, str]) -> Response:
    """The bytes of a blob. Raises Gone when its time has run out."""
    return _image(await _bytes_of(blobs, blob), blob, headers)


async def resource_response(
    request: Request, blobs: Blobs, blob: Blob, headers: dict[str, str]
) -> Response:
    """The answer to a GET for a blob: its bytes, a range of them, or that nothing has changed.

    Raises Gone when its time has run out, and HTTPException (416).
    """
    tag = etag(blob.key)
    if names(request, tag) or "*" in _if_none_match(request):
        return not_modified(tag, headers)
    data = await _bytes_of(blobs, blob)
    part = asked_range(request, tag, len(data))
    headers = {"Accept-Ranges": "bytes", **headers}
    if part is None:
        return _image(data, blob, headers)
    place = f"bytes {part.start}-{part.stop - 1}/{len(data)}"
    return _image(data[part], blob, {"Content-Range": place, **headers}, status=206)


def timing(answer: Answer[Rendered]) -> dict[str, str]:
    """Where the time went, and who did it."""
    rendered = answer.reply
    parts = {
        "queue": answer.queue_ms,
        "decode": rendered.decode_ms,
        "operations": rendered.operations_ms,
        "encode": rendered.encode_ms,
    }
    if rendered.reused:
        parts = {"queue": answer.queue_ms}
    return {
        "Server-Timing": ", ".join(f"{name};dur={ms:.1f}" for name, ms in parts.items()),
        "X-Worker": answer.worker,
    }


def _if_none_match(request: Request) -> list[str]:
    lines = ",".join(request.headers.getlist("if-none-match"))
    return [part.strip() for part in lines.split(",")]


async def _bytes_of(blobs: Blobs, blob: Blob) -> bytes:
    data = await blobs.get(blob)
    if data is None:
        raise Gone("The result has expired; ask for it again.")
    return data


def _image(data: bytes, blob: Blob, headers: dict[str, str], status: int = 200) -> Response:
    always = {"ETag": etag(blob.key), "X-Content-Type-Options": "nosniff"}
    return Response(data, status, media_type=blob.media_type, headers={**always, **headers})
