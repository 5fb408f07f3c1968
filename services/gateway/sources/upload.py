"""Read request bodies within limits of size and time, and store the images in them."""

import asyncio
from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.types import Message

from contracts.errors import DeadlineExceeded, InvalidRequest, Overloaded, TooLarge
from services.gateway.settings import GatewaySettings
from services.runtime.storage.blobs import Blobs, StoredBlob
from services.runtime.storage.parts import PART, Parts

_MULTIPART_OVERHEAD = 64 * 1024  # bytes of boundaries and headers around a file
_MAX_JSON = 256 * 1024  # bytes: 64 variants of 32 operations fit


class UploadReader:
    """Reads bodies into memory, and limits the bytes that all of them hold there together.

    Every method raises TooLarge over the limit of one body, Overloaded over the limit of all of
    them, and DeadlineExceeded when no byte arrives for `body_patience` seconds.
    """

    def __init__(self, images: Blobs, settings: GatewaySettings) -> None:
        self._images = images
        self._settings = settings
        self._in_memory = 0  # bytes of all bodies

    async def store_image(self, request: Request, *, ttl: int) -> StoredBlob:
        """Store the image of a request for `ttl` seconds at least.

        The image is the body, or the field `file` of a multipart form. Its bytes leave memory
        before this returns, so a call to a worker holds none. Raises InvalidRequest for an empty
        body and for a form without a file.
        """
        limit = self._settings.max_body
        counted, body = _CountedRequest(request, self, limit + _MULTIPART_OVERHEAD), Parts()
        try:
            if media_type_of(request) == "multipart/form-data":
                await _read_file(counted, body)
            else:
                await counted.read(body)
            if not body.size:
                raise InvalidRequest("The body is empty; send the bytes of an image.")
            if body.size > limit:
                raise TooLarge(f"An image may have {limit:,} bytes at most.")
            return await self._images.keep(body, ttl=ttl)
        finally:
            # An exception refers to the body until its problem document is sent.
            body.clear()
            self._in_memory -= counted.size

    async def read_json(self, request: Request) -> bytes:
        """Return the body of a request, up to 256 KiB; nothing checks that it is JSON."""
        counted, body = _CountedRequest(request, self, _MAX_JSON), Parts()
        try:
            await counted.read(body)
            return b"".join(body.all())
        finally:
            self._in_memory -= counted.size

    def add(self, size: int) -> None:
        """Count `size` bytes that have arrived. Raises Overloaded over the limit of all bodies."""
        self._in_memory += size
        if self._in_memory > self._settings.max_bodies:
            raise Overloaded("Too many uploads at once; try again soon.", retry_after=2)

    async def receive(self, request: Request) -> Message:
        """Return the next ASGI message of a request. Raises DeadlineExceeded."""
        try:
            async with asyncio.timeout(self._settings.body_patience):
                return await request.receive()
        except TimeoutError as exc:
            raise DeadlineExceeded("The body stopped arriving before its end.") from exc


def media_type_of(request: Request) -> str:
    """Return the media type of the body, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read_file(request: Request, body: Parts) -> None:
    async with request.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidRequest("The form has no file in its field 'file'.")
        while piece := await file.read(PART):
            body.add(piece)


class _CountedRequest(Request):
    """A request that counts the bytes of its body while they are read, by forms too."""

    def __init__(self, request: Request, reader: UploadReader, limit: int) -> None:
        super().__init__(request.scope, lambda: reader.receive(request))
        self._reader = reader
        self._limit = limit
        self.size = 0

    async def stream(self) -> AsyncGenerator[bytes, None]:
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit:
            raise self._too_large()
        async for chunk in super().stream():
            self.size += len(chunk)
            self._reader.add(len(chunk))
            if self.size > self._limit:
                raise self._too_large()
            yield chunk

    async def read(self, body: Parts) -> None:
        """Add the whole body to `body`; `body()` would keep a second copy in the request.

        Raises TooLarge, Overloaded and DeadlineExceeded.
        """
        async for piece in self.stream():
            body.add(piece)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body may have {self._limit:,} bytes at most.")
