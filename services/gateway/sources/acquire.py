"""Acquisition of the image that a request names: every kind of source ends in a stored image.

`GET /v1/fetch` alone asks `Originals` itself: it reads the record together with the result.
"""

from dataclasses import dataclass
from typing import assert_never

from fastapi import Request

from contracts.access.keys import KeyScope
from contracts.errors import Gone
from contracts.labels import label_of_file
from services.gateway.access.caller import caller_of, require
from services.gateway.sources.acquired import AcquiredImage
from services.gateway.sources.originals import Originals
from services.gateway.sources.uploads.upload import UploadReader
from services.runtime.storage.images import Images


@dataclass(frozen=True)
class Sent:
    """The image in the body of the request; see `UploadReader.store_image`."""

    ttl: int
    kept: bool = False
    durable: bool = True


@dataclass(frozen=True)
class Named:
    """An image of a source: a URL, an object or a file, as `find_address` reads it."""

    src: str


class Acquirer:
    """Acquires images for a request, in the project of its caller."""

    def __init__(self, uploads: UploadReader, images: Images, originals: Originals) -> None:
        self._uploads = uploads
        self._images = images
        self._originals = originals

    async def acquire(self, source: Sent | Named, request: Request) -> AcquiredImage:
        """Return an image that is stored.

        Raises Forbidden for a caller who may not fetch, and what `UploadReader` and
        `Originals` raise.
        """
        match source:
            case Sent():
                return await self._uploads.store_image(
                    request, ttl=source.ttl, kept=source.kept, durable=source.durable
                )
            case Named():
                return await self._fetch(source.src, request)
            case _:
                assert_never(source)

    async def _fetch(self, src: str, request: Request) -> AcquiredImage:
        require(request.scope, KeyScope.FETCH)
        project = caller_of(request.scope).project
        for again in (False, True):
            acquired = await self._originals.acquire(src, project, again=again)
            stored = await self._images.find_in(project, acquired.original.image)
            if stored is not None:
                return AcquiredImage(stored, label_of_file(acquired.address.file_name))
            # It was deleted since, and its source has it still.
            await self._originals.forget(acquired)
        raise Gone("The original was deleted while it was fetched; try again.")
