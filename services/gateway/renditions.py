"""A rendered image as an HTTP answer."""

from fastapi import Request, Response

from contracts.errors import Gone
from contracts.imaging import Blob, Rendered
from services.gateway.rpc import Answer
from services.runtime.blobs import Blobs

IMMUTABLE = "public, max-age=31536000, immutable"


def etag(key: str) -> str:
    """A strong entity tag: the key says which bytes they are."""
    return f'"{key}"'


def matches(request: Request, tag: str) -> bool:
    """Whether If-None-Match names `tag` (RFC 9110, section 13.1.2)."""
    named = request.headers.get("if-none-match", "")
    return named.strip() == "*" or tag in {
        part.strip().removeprefix("W/") for part in named.split(",")
    }


async def image_response(blobs: Blobs, blob: Blob, headers: dict[str, str]) -> Response:
    """The bytes of a blob. Raises Gone when its time has run out."""
    data = await blobs.get(blob.key)
    if data is None:
        raise Gone("The result has expired; ask for it again.")
    return Response(
        data,
        media_type=blob.media_type,
        headers={"ETag": etag(blob.key), "X-Content-Type-Options": "nosniff", **headers},
    )


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
