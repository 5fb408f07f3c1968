"""HEAD for every route that has GET: the same header fields, no body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEAD = "darkroom.head"


def is_head(scope: Scope) -> bool:
    """Return whether the GET of this scope is a client's HEAD, whose body will be dropped."""
    return _HEAD in scope


class HeadMiddleware:
    """Handles a HEAD request as a GET and drops the body (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # Range is defined for GET alone.
        headers = [field for field in scope["headers"] if field[0] != b"range"]
        get = {**scope, "method": "GET", "headers": headers, _HEAD: True}
        await self._app(get, receive, send_without_body)
