"""Answers that last as long as their client stays: they end soon after the client's key does."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.tasks import end

_INTERVAL = 1.0
"""Seconds between two looks at the key of such an answer."""

_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1


def answer_while(app: ASGIApp, is_allowed: Callable[[], Awaitable[bool]]) -> ASGIApp:
    """Return an application that answers by `app`, and breaks off once `is_allowed` is false.

    A WebSocket is closed with 1008. The answer to another request ends, and its client connects
    again and gets 401.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def track(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        running = asyncio.ensure_future(app(scope, receive, track))
        try:
            while not running.done():
                await asyncio.wait((running,), timeout=_INTERVAL)
                if not running.done() and not await is_allowed():
                    break
            if running.done():
                running.result()
                return
        finally:
            await end(running)
        if scope["type"] == "websocket":
            reason = "The key does not count any more."
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})
        elif started:
            await send({"type": "http.response.body", "body": b""})

    return answer
