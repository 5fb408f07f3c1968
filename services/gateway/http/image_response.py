"""The bytes of a stored image as an HTTP response, sent piece by piece."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import lru_cache

import structlog
from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from contracts.errors import Gone, Overloaded, ServiceError
from contracts.imaging import Blob
from services.gateway.http.disconnect import cancel_on_disconnect
from services.gateway.middleware.head import is_head
from services.runtime.redis.client import redis_errors
from services.runtime.storage.blobs import Blobs, Seen
from services.runtime.storage.lookups import ALONG
from services.runtime.storage.stores.store import CHUNK

log = structlog.get_logger(__name__)

_SMALL = ALONG  # bytes: as many as a connection buffers in any case
_HELD = 2 * CHUNK + _SMALL  # bytes that 150 readers of a large image were seen to hold, each
_WAIT = 1.0  # seconds for room


class AnswerRoom:
    """Limits the bytes that all answers under way hold in memory together, to `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes. Raises Overloaded if they are not free within a second."""
        size = min(size, self._limit)
        if not self._has(size):
            try:
                async with asyncio.timeout(_WAIT):
                    while not self._has(size):
                        self._freed.clear()
                        await self._freed.wait()
            except TimeoutError as exc:
                reason = "Too many answers are being read at once; try again soon."
                raise Overloaded(reason, retry_after=2) from exc
        self._held += size
        try:
            yield
        finally:
            self._held -= size
            self._freed.set()

    def _has(self, size: int) -> bool:
        return self._held + size <= self._limit


Otherwise = Callable[[], Awaitable[Response]]
"""Makes another response, in place of one whose blob has turned out to be gone."""


class ImageResponse(Response):
    """A response with some bytes of a blob; it raises Gone and Overloaded before its first byte.

    With `otherwise`, that response is sent in place of Gone. With `data`, these are the bytes of
    the blob, and nothing is fetched.

    One piece is in memory at a time, until the client has taken it: a slow reader of a large image
    holds no more than one of a small image. A HEAD fetches no byte, and a range none beside it.

    A failure after the first byte ends the connection, so that the client has fewer bytes than
    `Content-Length` announced, and can't take them for the image.
    """

    def __init__(
        self,
        blobs: Blobs,
        blob: Blob,
        room: AnswerRoom,
        *,
        part: slice,
        status: int,
        headers: dict[str, str],
        otherwise: Otherwise | None = None,
        data: bytes = b"",
        seen: Seen | None = None,
    ) -> None:
        """`seen` is the record of the blob, if it was read for this request."""
        self._size = part.stop - part.start
        about = {"Content-Length": str(self._size), "Content-Type": blob.media_type}
        super().__init__(None, status, {**headers, **about}, blob.media_type)
        self._blobs, self._blob, self._part, self._room = blobs, blob, part, room
        self._otherwise, self._seen, self._data = otherwise, seen, data

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Encode the fields, which are complete; Starlette looks for those that are missing."""
        fields = (headers or {}).items()
        self.raw_headers = [(_encoded(name), value.encode("latin-1")) for name, value in fields]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await self._send(scope, receive, send)
        except Gone:
            if self._otherwise is None:
                raise
            other = await self._otherwise()
            await other(scope, receive, send)

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._data:
            self.body = b"" if is_head(scope) else self._data[self._part]
            await super().__call__(scope, receive, send)
        elif is_head(scope):
            await self._send_head(scope, receive, send)
        elif self._size <= _SMALL:
            self.body = b"".join([piece async for piece in self._pieces()])
            await super().__call__(scope, receive, send)
        else:
            async with self._room.take(min(self._size, _HELD)):
                if self._size <= CHUNK:
                    await self._send_pieces(send)
                    return
                # uvicorn drops what is sent after a disconnect, without an error.
                with suppress(ClientDisconnect):
                    await cancel_on_disconnect(Request(scope, receive), self._send_pieces(send))

    def _pieces(self) -> AsyncIterator[bytes]:
        start, stop = self._part.start, self._part.stop
        return self._blobs.read(self._blob, start, stop, seen=self._seen)

    async def _send_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._seen is None and await self._blobs.find(self._blob.key) is None:
            raise Gone("The result has expired; ask for it again.")
        await super().__call__(scope, receive, send)

    async def _send_pieces(self, send: Send) -> None:
        missing = self._size
        try:
            with redis_errors():
                async for piece in self._pieces():
                    if missing == self._size:
                        start = {"type": "http.response.start", "status": self.status_code}
                        await send({**start, "headers": self.raw_headers})
                    missing -= len(piece)
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    piece = b""  # not while the server has it, and the next one arrives
                    # The server returns from this one when the client has taken the piece.
                    await send(
                        {"type": "http.response.body", "body": b"", "more_body": missing > 0}
                    )
        except ServiceError as exc:
            if missing == self._size:
                raise
            # The server closes the connection of a response that is not complete.
            log.warning("answer broken off", blob=self._blob.key, code=exc.code, detail=exc.detail)


@lru_cache(maxsize=64)
def _encoded(name: str) -> bytes:
    """Return the name of a field as servers take it."""
    return name.lower().encode("latin-1")
