"""HEAD for every route that has GET: the same header fields, no body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


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
        await self._app({**scope, "method": "GET", "headers": headers}, receive, send_without_body)
