"""A picture on its way in: counted while it streams, refused the moment it is too much."""

from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.datastructures import UploadFile

from contracts.errors import InvalidRequest, Overloaded, TooLarge
from services.gateway.settings import GatewaySettings

_ROOM_FOR_MULTIPART = 64 * 1024  # bytes of boundaries and headers around a file


class Uploads:
    """Reads image bodies, and bounds what all of them together take in memory."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._held = 0

    async def read(self, request: Request) -> bytes:
        """The image in a request: its body, or the field `file` of a multipart form.

        Raises TooLarge, Overloaded, InvalidRequest.
        """
        counted = _CountedRequest(request, self)
        try:
            if request.headers.get("content-type", "").startswith("multipart/form-data"):
                data = await self._file_of(counted)
            else:
                data = b"".join([chunk async for chunk in counted.stream()])
        finally:
            self._held -= counted.size
        if not data:
            raise InvalidRequest("The body is empty; send the bytes of an image.")
        if len(data) > self._settings.max_body:
            raise self._too_large()
        return data

    def refuse_if_announced_too_large(self, request: Request) -> None:
        """Refuse what says of itself that it is too large before any of it is read."""
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._settings.max_body + _ROOM_FOR_MULTIPART:
            raise self._too_large()

    def count(self, total: int, more: int) -> None:
        """Account for `more` bytes of a body that has now `total`."""
        if total > self._settings.max_body + _ROOM_FOR_MULTIPART:
            raise self._too_large()
        self._held += more
        if self._held > self._settings.max_bodies:
            raise Overloaded("Too many uploads at once; try again soon.", retry_after=2)

    async def _file_of(self, request: Request) -> bytes:
        async with request.form(max_files=1, max_fields=8) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise InvalidRequest("The form has no file in its field 'file'.")
            return await file.read()

    def _too_large(self) -> TooLarge:
        limit = self._settings.max_body // (1024 * 1024)
        return TooLarge(f"An image may have {limit} MiB at most.")


class _CountedRequest(Request):
    """A request whose body is counted as it is read, whoever reads it."""

    def __init__(self, request: Request, uploads: Uploads) -> None:
        super().__init__(request.scope, request.receive)
        self._uploads = uploads
        self.size = 0

    async def stream(self) -> AsyncGenerator[bytes, None]:
        self._uploads.refuse_if_announced_too_large(self)
        async for chunk in super().stream():
            self.size += len(chunk)
            self._uploads.count(self.size, len(chunk))
            yield chunk
