"""The images of a call are opened all at once, and closed however that ends."""

import errno
import os

import pytest

from contracts.imaging import Blob
from services.imaging.rendering.opened import opening_of
from services.runtime.storage.files import File
from services.runtime.storage.images import Images
from services.runtime.storage.records import Judged, StoredBlob


class OneDescriptor(Images):
    """Images that were opened not long ago, in a process that can open one more file."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def opened(self, judged: Judged) -> File:
        if self.given:
            raise OSError(errno.EMFILE, "Too many open files")
        self.given.append(os.memfd_create("image"))
        return File(self.given[0], 0, judged.stored.digest)


async def test_a_first_image_is_closed_if_the_second_can_not_be_opened() -> None:
    images = OneDescriptor()
    blob = Blob(key="a" * 64, media_type="image/png", bytes=1)
    judged = Judged(StoredBlob(blob=blob, digest=blob.key), None)
    with pytest.raises(OSError, match="Too many"):
        async with opening_of(images, [judged, judged])():
            pytest.fail("an image is missing")
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(images.given[0])
