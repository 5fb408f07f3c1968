"""The images of a call are opened all at once, and closed however that ends: or need no file."""

import errno
import hashlib
import os

import pytest

from contracts.imaging import Blob
from services.imaging.pool.messages import INSIDE
from services.imaging.rendering.opened import is_inside, opening_of
from services.runtime.redis.client import make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.files import File
from services.runtime.storage.images import Images
from services.runtime.storage.records import Judged, StoredBlob
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.metrics import Metrics


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


def along(data: bytes, *, size: int | None = None, damaged: bool = False) -> Judged:
    """Return an image whose bytes came along; `size` is what its record says."""
    key = hashlib.sha256(data).hexdigest()
    blob = Blob(key=key, media_type="image/png", bytes=len(data) if size is None else size)
    return Judged(StoredBlob(blob=blob, digest=key, created=1, damaged=damaged), None, data)


async def test_small_images_that_came_along_are_sent_with_the_call(redis_url: str) -> None:
    settings = RuntimeSettings(redis_url=redis_url)
    redis = make_redis(settings)
    images = Images(make_storage(settings, redis, Metrics()))
    small, large = along(bytes(INSIDE)), along(bytes(INSIDE + 1))
    async with opening_of(images, [large, small])() as contents:
        file, inside = contents
        assert isinstance(file, int)
        assert os.pread(file, INSIDE + 2, 0) == bytes(INSIDE + 1)
        assert inside == bytes(INSIDE)
    assert [is_inside(one) for one in (large, small)] == [False, True]
    await redis.close()


@pytest.mark.parametrize("image", [along(b"abc", size=4), along(b"abc", damaged=True)])
def test_bytes_that_are_not_those_of_the_record_are_not_sent(image: Judged) -> None:
    assert not is_inside(image)
