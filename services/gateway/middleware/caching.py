"""A `Cache-Control` field for answers that have none."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FIELD = b"cache-control"


class CachingMiddleware:
    """Lets caches ask again before each use of an answer that says nothing about caches.

    An answer without an entity tag is not stored, as there is nothing to ask about. Without the
    field, caches may guess for how long an answer is current, that of a 404 as well (RFC 9111,
    section 4.2.2).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_default(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                names = dict(headers)
                if _FIELD not in names:
                    default = b"no-cache" if b"etag" in names else b"no-store"
                    message["headers"] = [*headers, (_FIELD, default)]
            await send(message)

        await self._app(scope, receive, send_with_default)
