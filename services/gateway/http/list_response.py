"""A JSON object with a list, sent item by item: the jobs of a list may have 300 KB each."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import structlog
from fastapi import Request
from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from contracts.errors import StoreFull, Unavailable
from contracts.message import Message
from services.gateway.http.disconnect import cancel_on_disconnect
from services.gateway.middleware.head import is_head
from services.runtime.redis.client import redis_errors

log = structlog.get_logger(__name__)

_PIECE = 64 << 10  # bytes


class ListResponse(StreamingResponse):
    """Sends `{"name": [items]}` in pieces; caches must not store it. `end` has more fields.

    All lists take turns: one item at a time is read and written, so long lists for many clients
    hold little memory, and other requests run in between. Raises StoreFull and Unavailable before
    its first byte. After a later failure the connection is closed before the list's end.
    """

    def __init__(
        self,
        name: str,
        items: AsyncIterator[Message],
        turn: asyncio.Lock,
        *,
        end: Mapping[str, str | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        headers = {"Cache-Control": "no-store", **(headers or {})}
        super().__init__((), media_type="application/json", headers=headers)
        self._name, self._items, self._turn = name, items, turn
        self._end = b"".join(b",%b:%b" % (to_json(a), to_json(b)) for a, b in (end or {}).items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, until the client disconnects."""
        if is_head(scope):
            await super().__call__(scope, receive, send)
            return
        with suppress(ClientDisconnect):
            await cancel_on_disconnect(Request(scope, receive), self._send(send))

    async def _send(self, send: Send) -> None:
        start: dict[str, Any] = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        begun = False
        try:
            with redis_errors():
                async for piece in self._pieces():
                    if not begun:
                        await send(start)
                        begun = True
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except (StoreFull, Unavailable) as exc:
            if not begun:
                raise
            log.warning("list cut off", list=self._name, reason=str(exc.__cause__))
            return  # the server closes the connection
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pieces(self) -> AsyncIterator[bytes]:
        piece, separator = bytearray(b'{"%b":[' % self._name.encode()), b""
        while (item := await self._next()) is not None:
            piece += separator + item
            separator = b","
            if len(piece) >= _PIECE:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece) + b"]" + self._end + b"}"

    async def _next(self) -> bytes | None:
        """Return the next item as JSON; None after the last one."""
        async with self._turn:
            item = await anext(self._items, None)
            return None if item is None else item.model_dump_json().encode()
