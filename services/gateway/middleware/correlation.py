"""The id that ties a request, its messages, its log lines and its answer together."""

import re
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Correlation-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,128}")
_BEGINNINGS = ("http.response.start", "websocket.accept")


def correlation_id() -> str:
    """The id of the request that is being answered."""
    return str(structlog.contextvars.get_contextvars().get("correlation_id", ""))


class CorrelationMiddleware:
    """Takes a request's own id where it is harmless, makes one where not, and answers with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get(HEADER, "")
        accepted = given if _ACCEPTED.fullmatch(given) else uuid4().hex

        async def send_with_id(message: Message) -> None:
            if message["type"] in _BEGINNINGS:
                MutableHeaders(scope=message)[HEADER] = accepted
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation_id=accepted):
            await self._app(scope, receive, send_with_id)
