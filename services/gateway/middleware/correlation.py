"""The correlation id of a request, in its messages, its log lines and its answer."""

import re
from collections.abc import Iterable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.messaging.envelope import new_correlation_id

HEADER = "X-Correlation-ID"
FIELD = HEADER.lower().encode()
"""Its name in ASGI messages."""
_VALID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_RESPONSE_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


def correlation_id() -> str:
    """Return the id of the current request; empty outside a request."""
    return str(structlog.contextvars.get_contextvars().get("correlation_id", ""))


def id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id in a request's header fields, whose names are in lower case, or a new one.

    An id with other characters than letters, digits and `._-`, or longer than 128, is replaced.
    """
    return given_id(headers) or new_correlation_id()


def given_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id in a request's header fields; empty if there is none, or if it is invalid."""
    for name, value in headers:
        if name == FIELD:
            return value.decode() if _VALID.fullmatch(value) else ""
    return ""


class CorrelationMiddleware:
    """Binds the request's own id, or a new one, and adds it to the answer's headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        bound = id_of(scope["headers"])
        field = (FIELD, bound.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] in _RESPONSE_STARTS:
                # A new list: the answer's own one may be that of other answers as well.
                message["headers"] = [*message.get("headers", ()), field]
            await send(message)

        # Its context manager would take a tenth of an answer from memory.
        tokens = structlog.contextvars.bind_contextvars(correlation_id=bound)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            structlog.contextvars.reset_contextvars(**tokens)
