"""A picture on its way in: counted while it streams, refused the moment it is too much."""

import asyncio
from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.types import Message

from contracts.errors import DeadlineExceeded, InvalidRequest, Overloaded, TooLarge
from services.gateway.settings import GatewaySettings
from services.runtime.storage.blobs import Blobs, StoredBlob

_ROOM_FOR_MULTIPART = 64 * 1024  # bytes of boundaries and headers around a file
_MAX_JSON = 256 * 1024  # bytes: 64 variants of 32 operations fit


class Uploads:
    """Takes bodies in, and bounds what all of them together take in memory."""

    def __init__(self, images: Blobs, settings: GatewaySettings) -> None:
        self._images = images
        self._settings = settings
        self._held = 0

    async def keep(self, request: Request, *, ttl: int) -> StoredBlob:
        """Store the image in a request: its body, or the field `file` of a multipart form.

        Its bytes are let go before this returns, so that who waits for a worker holds none.
        Raises TooLarge, Overloaded, InvalidRequest, DeadlineExceeded.
        """
        limit = self._settings.max_body
        counted = _CountedRequest(request, self, limit + _ROOM_FOR_MULTIPART)
        try:
            if media_type(request) == "multipart/form-data":
                data = await _file_of(counted)
            else:
                data = await counted.whole()
            if not data:
                raise InvalidRequest("The body is empty; send the bytes of an image.")
            if len(data) > limit:
                raise TooLarge(f"An image may have {limit:,} bytes at most.")
            return await self._images.keep(data, ttl=ttl)
        finally:
            self._held -= counted.size

    async def json(self, request: Request) -> bytes:
        """The JSON in a request. Raises TooLarge, Overloaded, DeadlineExceeded."""
        counted = _CountedRequest(request, self, _MAX_JSON)
        try:
            return await counted.whole()
        finally:
            self._held -= counted.size

    def hold(self, more: int) -> None:
        """Account for `more` bytes that have come in."""
        self._held += more
        if self._held > self._settings.max_bodies:
            raise Overloaded("Too many uploads at once; try again soon.", retry_after=2)

    async def next_of(self, request: Request) -> Message:
        """What a client sends next; a client that stops in the middle is not waited for."""
        try:
            async with asyncio.timeout(self._settings.body_patience):
                return await request.receive()
        except TimeoutError as exc:
            raise DeadlineExceeded("The body stopped coming before its end.") from exc


def media_type(request: Request) -> str:
    """What the body says it is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _file_of(request: Request) -> bytes:
    async with request.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidRequest("The form has no file in its field 'file'.")
        return await file.read()


class _CountedRequest(Request):
    """A request whose body is counted as it is read, whoever reads it."""

    def __init__(self, request: Request, uploads: Uploads, limit: int) -> None:
        super().__init__(request.scope, lambda: uploads.next_of(request))
        self._uploads = uploads
        self._limit = limit
        self.size = 0

    async def stream(self) -> AsyncGenerator[bytes, None]:
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit:
            raise self._too_large()
        async for chunk in super().stream():
            self.size += len(chunk)
            self._uploads.hold(len(chunk))
            if self.size > self._limit:
                raise self._too_large()
            yield chunk

    async def whole(self) -> bytes:
        """The body, not kept in the request."""
        return b"".join([chunk async for chunk in self.stream()])

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body may have {self._limit:,} bytes at most.")
