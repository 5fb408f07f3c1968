"""The bare application: one picture from memory, by ASGI and without a framework.

`uvicorn --factory bench.delivery.bare:create_app`; the file of the picture is in BARE_PICTURE.
"""

import os
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

Application = Callable[..., Awaitable[None]]


def create_app() -> Application:
    """Return the application. It answers 304 to requests with the picture's entity tag."""
    picture = Path(os.environ["BARE_PICTURE"]).read_bytes()
    tag = b'"%s"' % sha256(picture).hexdigest().encode()
    known = (b"if-none-match", tag)
    common = [(b"content-type", b"image/webp"), (b"etag", tag)]
    found: dict[str, Any] = {
        "type": "http.response.start",
        "status": 200,
        "headers": [*common, (b"content-length", b"%d" % len(picture))],
    }
    unchanged: dict[str, Any] = {
        "type": "http.response.start",
        "status": 304,
        "headers": [(b"etag", tag)],
    }
    body = {"type": "http.response.body", "body": picture}
    nothing = {"type": "http.response.body", "body": b""}

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if known in scope["headers"]:
            await send(unchanged)
            await send(nothing)
        else:
            await send(found)
            await send(body)

    return app
