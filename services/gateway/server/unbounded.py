"""Refuse requests that came through a server that bounds neither connections nor headers."""

from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from contracts.errors import Internal
from services.gateway.http.problems import problem
from services.gateway.server.protocol import MARK

_UNBOUNDED = Internal("The server of this gateway does not bound connections and headers.")


def is_bounded(scope: Scope) -> bool:
    """Return whether a request, or a WebSocket, came through `BoundedProtocol`."""
    return MARK in scope.get("state", ())


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every request with 503, those of readiness checks too; close every WebSocket."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    answer = problem(_UNBOUNDED.failure(), scope, status=HTTPStatus.SERVICE_UNAVAILABLE)
    await answer(scope, receive, send)
