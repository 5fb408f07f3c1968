"""Read request bodies within limits of size and time, and store the images in them."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message

from contracts.errors import InvalidRequest, Overloaded, TooLarge
from services.gateway.settings import GatewaySettings
from services.gateway.sources.pace import Pace
from services.runtime.storage.blobs import Blobs, StoredBlob
from services.runtime.storage.parts import PART, Parts

_MULTIPART_OVERHEAD = 64 * 1024  # bytes of boundaries and headers around a file
_CHARSETS = frozenset({b"utf-8", b"us-ascii", b"iso-8859-1"})  # decoded in linear time, always
_MAX_JSON = 256 * 1024  # bytes: 64 variants of 32 operations fit


class UploadReader:
    """Reads bodies into memory, and limits the bytes that all of them hold there together.

    Every method raises TooLarge over the limit of one body, Overloaded over the limit of all of
    them, and HTTPException: 408 for a body that is slower than its `Pace`, 415 for a content coding
    of the body. At the limit of all bodies the slowest one ends first: clients that stop sending
    keep nobody else out.
    """

    def __init__(self, images: Blobs, settings: GatewaySettings) -> None:
        self.settings = settings
        self._images = images
        self._in_memory = 0  # bytes of all bodies
        self._bodies: set[_CountedRequest] = set()

    async def store_image(self, request: Request, *, ttl: int) -> StoredBlob:
        """Store the image of a request for `ttl` seconds at least.

        The image is the body, or the field `file` of a multipart form. Its bytes leave memory
        before this returns, so a call to a worker holds none. Raises InvalidRequest for an empty
        body and for a form without a file.
        """
        limit, body = self.settings.max_body, Parts()
        with self._counted(request, limit + _MULTIPART_OVERHEAD, body) as counted:
            if media_type_of(request) == "multipart/form-data":
                await _read_file(counted, body)
            else:
                await counted.read(body)
            if not body.size:
                raise InvalidRequest("The body is empty; send the bytes of an image.")
            if body.size > limit:
                raise TooLarge(f"An image may have {limit:,} bytes at most.")
            return await self._images.keep(body, ttl=ttl)

    async def read_json(self, request: Request) -> bytes:
        """Return the body of a request, up to 256 KiB; nothing checks that it is JSON."""
        body = Parts()
        with self._counted(request, _MAX_JSON, body) as counted:
            await counted.read(body)
            return b"".join(body.all())

    def add(self, size: int) -> None:
        """Count `size` bytes that have arrived.

        Raises Overloaded over the limit of all bodies, if none of them is slow.
        """
        self._in_memory += size
        while self._in_memory > self.settings.max_bodies:
            slow = [body for body in self._bodies if body.pace.rate() is not None]
            if not slow:
                raise Overloaded("Too many uploads at once; try again soon.", retry_after=2)
            slowest = min(slow, key=lambda body: body.pace.rate() or 0.0)
            slowest.leave()
            slowest.pace.give_way()

    def remove(self, size: int) -> None:
        """Count `size` bytes no longer: they leave memory."""
        self._in_memory -= size

    @contextmanager
    def _counted(self, request: Request, limit: int, body: Parts) -> Iterator["_CountedRequest"]:
        _refuse_coding(request.headers)
        counted = _CountedRequest(request, self, limit)
        self._bodies.add(counted)
        try:
            yield counted
        finally:
            self._bodies.remove(counted)
            # An exception refers to the body until its problem document is sent.
            body.clear()
            counted.leave()


def media_type_of(request: Request) -> str:
    """Return the media type of the body, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _refuse_coding(headers: Headers) -> None:
    """Raise HTTPException (415) for a body, or a part of a form, with a content coding."""
    codings = ",".join(headers.getlist("content-encoding")).lower().split(",")
    if {coding.strip() for coding in codings} - {"", "identity"}:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body has a Content-Encoding; send it without.",
            headers={"Accept-Encoding": "identity"},
        )


async def _read_file(request: Request, body: Parts) -> None:
    _, parameters = parse_options_header(request.headers["content-type"])
    # Starlette decodes the text of a form by any codec of Python's that its client names.
    if parameters.get(b"charset", b"utf-8").lower() not in _CHARSETS:
        raise InvalidRequest("The form names a `charset`; leave it out, and send UTF-8.")
    async with request.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidRequest("The form has no file in its field 'file'.")
        _refuse_coding(file.headers)
        while piece := await file.read(PART):
            body.add(piece)


class _CountedRequest(Request):
    """A request that counts the bytes of its body while they are read, by forms too."""

    def __init__(self, request: Request, reader: UploadReader, limit: int) -> None:
        super().__init__(request.scope, self._receive_in_time)
        self.pace = Pace(reader.settings)
        self._request = request
        self._reader = reader
        self._limit = limit
        self._size = 0

    async def stream(self) -> AsyncGenerator[bytes, None]:
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit:
            raise self._too_large()
        async for chunk in super().stream():
            self._size += len(chunk)
            self._reader.add(len(chunk))
            if self._size > self._limit:
                raise self._too_large()
            yield chunk

    async def read(self, body: Parts) -> None:
        """Add the whole body to `body`; `body()` would keep a second copy in the request.

        Raises TooLarge, Overloaded and HTTPException (408).
        """
        async for piece in self.stream():
            body.add(piece)

    def leave(self) -> None:
        """Count the bytes no longer: they leave memory."""
        size, self._size = self._size, 0
        self._reader.remove(size)

    async def _receive_in_time(self) -> Message:
        return await self.pace.receive(self._request.receive)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body may have {self._limit:,} bytes at most.")
