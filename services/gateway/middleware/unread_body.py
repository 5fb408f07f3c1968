"""Read and drop the rest of a request body that was answered before its end.

A server that closes the connection at once resets it, and the client loses the answer. A server
that never closes reads for ever. So the answer is sent, the rest of the body is dropped, and the
connection closes at the end of the body or after a limit (nginx's `lingering_close`).
"""

import asyncio
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class UnreadBodyMiddleware:
    """Delays the end of an answer while its request's body arrives, by `seconds` at most."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not announces_body(scope):
            await self._app(scope, receive, send)
            return
        unread = True

        async def track_receive() -> Message:
            nonlocal unread
            message = await receive()
            unread = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def send_then_drain(message: Message) -> None:
            if message["type"] == "http.response.start" and unread:
                MutableHeaders(scope=message)["Connection"] = "close"
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not (last and unread):
                await send(message)
                return
            await send({**message, "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    while unread:
                        await track_receive()
            await send({"type": "http.response.body", "body": b""})

        await self._app(scope, track_receive, send_then_drain)


def announces_body(scope: Scope) -> bool:
    """Return whether the header of a request says that a body follows."""
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return True
    return False
