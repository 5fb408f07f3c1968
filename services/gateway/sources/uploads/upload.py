"""Read request bodies within limits of size and time, and store the images in them."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import Request
from starlette.types import Message

from contracts.errors import InvalidRequest, Overloaded, TooLarge
from contracts.labels import label_of_file
from services.gateway.access.caller import caller_of
from services.gateway.settings import GatewaySettings
from services.gateway.sources.acquired import AcquiredImage
from services.gateway.sources.uploads.coding import refuse_coding
from services.gateway.sources.uploads.form import FormFile
from services.gateway.sources.uploads.pace import Pace
from services.runtime.storage.images import Images
from services.runtime.storage.spool import Spool, SpoolMemory

_MULTIPART_OVERHEAD = 64 * 1024  # bytes of boundaries and headers around a file
_MEMORY = 8 * 1024 * 1024  # bytes of all bodies beyond 256 KiB of each; the rest is in files
_MAX_JSON = 256 * 1024  # bytes: 64 variants of 32 operations fit


class UploadReader:
    """Reads bodies, and limits the bytes of all that are under way, in memory and on disk.

    The bytes of an image that are not in memory are in a file of the folder `scratch`.

    Every method raises TooLarge over the limit of one body, Overloaded over the limit of all of
    them, and HTTPException: 408 for a body that is slower than its `Pace`, 415 for a content coding
    of the body. At the limit of all bodies the slowest one ends first: clients that stop sending
    keep nobody else out.
    """

    def __init__(self, images: Images, settings: GatewaySettings, scratch: Path) -> None:
        self.settings = settings
        self._images = images
        self._scratch = scratch
        self._memory = SpoolMemory(_MEMORY)
        self._under_way = 0  # bytes of all bodies
        self._bodies: set[_CountedRequest] = set()

    async def store_image(
        self, request: Request, *, ttl: int, kept: bool = False, durable: bool = True
    ) -> AcquiredImage:
        """Store the image of a request in its caller's project; `ttl` and others as `Images.keep`.

        The image is the body, or the field `file` of a multipart form. Its bytes are here no more
        when this returns, so a call to a worker holds none. Raises InvalidRequest for an empty body
        and for a form without a file, and what `Spool` and `Images.keep` raise.
        """
        limit, body = self.settings.max_body, Spool(self._scratch, self._memory)
        with self._counted(request, limit + _MULTIPART_OVERHEAD) as counted:
            try:
                async for piece in counted.image():
                    await body.write(piece)
                if not body.size:
                    raise InvalidRequest("The body is empty; send the bytes of an image.")
                if body.size > limit:
                    raise TooLarge(f"An image may have {limit:,} bytes at most.")
                await body.finish()
                project = caller_of(request.scope).project
                stored = await self._images.keep(
                    body, ttl=ttl, project=project, kept=kept, durable=durable
                )
                return AcquiredImage(stored, label_of_file(counted.file_name))
            finally:
                await body.close()

    async def read_json(self, request: Request) -> bytes:
        """Return the body of a request, up to 256 KiB; nothing checks that it is JSON."""
        body = bytearray()
        with self._counted(request, _MAX_JSON) as counted:
            async for piece in counted.stream():
                body += piece
        return bytes(body)

    def add(self, size: int) -> None:
        """Count `size` bytes that have arrived.

        Raises Overloaded over the limit of all bodies, if none of them is slow.
        """
        self._under_way += size
        while self._under_way > self.settings.max_bodies:
            slow = [body for body in self._bodies if body.pace.rate() is not None]
            if not slow:
                raise Overloaded("Too many uploads at once; try again soon.", retry_after=2)
            slowest = min(slow, key=lambda body: body.pace.rate() or 0.0)
            slowest.leave()
            slowest.pace.give_way()

    def remove(self, size: int) -> None:
        """Count `size` bytes no longer."""
        self._under_way -= size

    @contextmanager
    def _counted(self, request: Request, limit: int) -> Iterator["_CountedRequest"]:
        refuse_coding(request.headers)
        counted = _CountedRequest(request, self, limit)
        self._bodies.add(counted)
        try:
            yield counted
        finally:
            self._bodies.remove(counted)
            counted.leave()


def media_type_of(request: Request) -> str:
    """Return the media type of the body, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


class _CountedRequest(Request):
    """A request that counts the bytes of its body while they are read."""

    def __init__(self, request: Request, reader: UploadReader, limit: int) -> None:
        super().__init__(request.scope, self._receive_in_time)
        self.pace = Pace(reader.settings)
        self.file_name = ""  # of the file in a form, once `image` has ended
        self._request = request
        self._reader = reader
        self._limit = limit
        self._size = 0

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body. Raises TooLarge, Overloaded and HTTPException (408)."""
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit:
            raise self._too_large()
        async for chunk in super().stream():
            self._size += len(chunk)
            self._reader.add(len(chunk))
            if self._size > self._limit:
                raise self._too_large()
            yield chunk

    async def image(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the image: of the body, or of the file in a form.

        Raises InvalidRequest for a form without a file, and what `stream` raises.
        """
        if media_type_of(self) != "multipart/form-data":
            async for chunk in self.stream():
                yield chunk
            return
        form = FormFile(self.headers["content-type"])
        async for chunk in self.stream():
            for piece in form.feed(chunk):
                yield piece
        form.finish()
        self.file_name = form.file_name

    def leave(self) -> None:
        """Count the bytes no longer: they are stored or dropped."""
        size, self._size = self._size, 0
        self._reader.remove(size)

    async def _receive_in_time(self) -> Message:
        return await self.pace.receive(self._request.receive)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body may have {self._limit:,} bytes at most.")
