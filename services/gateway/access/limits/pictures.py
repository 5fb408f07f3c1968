"""The sizes of images, which decide what renders cost: from records, headers and workers."""

from collections import OrderedDict

from contracts.imaging import Blob, Inspect, Inspected
from services.gateway.access.limits.cost import Picture, picture_of
from services.gateway.access.limits.header import HEAD, size_of
from services.gateway.rpc import ImagingClient
from services.runtime.storage.images import Images

_REMEMBERED = 4096  # images
_MISSING = Picture((0, 0))
"""An image that is not stored: a render that needs it fails before anything is decoded."""


class Pictures:
    """Finds the sizes of images. Raises what `RedisClient` and `Images` raise."""

    def __init__(self, images: Images, imaging: ImagingClient, *, inspect_timeout: float) -> None:
        self._images = images
        self._imaging = imaging
        self._inspect_timeout = inspect_timeout
        # By project and key: a project must not learn anything about the images of others. The
        # bytes of an image never change, nor does what they are.
        self._known: OrderedDict[tuple[str, str], Picture] = OrderedDict()

    async def find(self, project: str, key: str, note: bytes = b"") -> Picture | Blob:
        """Return the picture of an image in a project, or the blob for `inspect` to read.

        `note` is the description in the image's record, if that was read. The first bytes are read
        of an image without one; the blob is returned where they do not tell the size.
        """
        if known := self._known.get((project, key)):
            return known
        if note:
            return self._remember(project, key, _described(note))
        stored = await self._images.find_in(project, key)
        if stored is None:
            return _MISSING
        if stored.note:
            return self._remember(project, key, _described(stored.note))
        stop = min(HEAD, stored.blob.bytes)
        head = b"".join([piece async for piece in self._images.read(stored.blob, 0, stop)])
        size = size_of(head)
        return stored.blob if size is None else self._remember(project, key, Picture(size))

    async def inspect(self, project: str, blob: Blob) -> Picture:
        """Return what a worker finds an image to be. Raises its failure."""
        reply = await self._imaging.inspect(Inspect(source=blob), timeout=self._inspect_timeout)
        return self._remember(project, blob.key, picture_of(reply.body))

    def _remember(self, project: str, key: str, picture: Picture) -> Picture:
        self._known[project, key] = picture
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return picture


def _described(note: bytes) -> Picture:
    return picture_of(Inspected.model_validate_json(note))
