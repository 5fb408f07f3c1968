"""The bytes of an original on their way from its source into the store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from contracts.errors import ImageTooBig, ImageUnreadable
from contracts.formats import format_of_bytes
from services.gateway.sources.uploads.upload import UploadReader
from services.runtime.storage.spool import HEAD, Spool


class Download:
    """A body that is bounded, counted among the bodies under way, and an image from its start."""

    def __init__(self, spool: Spool, limit: int, bodies: UploadReader) -> None:
        self.spool = spool
        self._limit = limit
        self._bodies = bodies
        self._counted = 0
        self._is_image = False

    def expect(self, size: int) -> None:
        """Raise ImageTooBig for more bytes than the limit."""
        if size > self._limit:
            raise ImageTooBig(f"The original has more than {self._limit:,} bytes.")

    async def write(self, piece: bytes) -> None:
        """Append a piece. Raises ImageTooBig, ImageUnreadable, and Overloaded."""
        self.expect(self.spool.size + len(piece))
        self._counted += len(piece)
        self._bodies.add(len(piece))
        await self.spool.write(piece)
        if self.spool.size >= HEAD and not self._is_image:
            self._check()

    async def finish(self) -> None:
        """End the body. Raises ImageUnreadable."""
        self._check()
        await self.spool.finish()

    async def close(self) -> None:
        """Free what it has taken."""
        self._bodies.remove(self._counted)
        await self.spool.close()

    def _check(self) -> None:
        # The bytes decide: of the media type that a server names, half are guesses.
        if format_of_bytes(self.spool.head) is None:
            raise ImageUnreadable("The source has sent bytes that are no image.")
        self._is_image = True


@asynccontextmanager
async def download(scratch: Path, limit: int, bodies: UploadReader) -> AsyncIterator[Download]:
    """Make room for an original, and free what it has taken at the end of the block."""
    body = Download(Spool(scratch), limit, bodies)
    try:
        yield body
    finally:
        await body.close()
