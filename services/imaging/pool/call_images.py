"""The images of a call in a pool process: read, if they are in files, and checked."""

import fcntl
import hashlib
import os
from collections import OrderedDict
from collections.abc import Sequence

from services.imaging.pool.messages import Image

_READ_SIZE = 16 << 20  # bytes
_SEALED = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
_NOTHING = memoryview(b"")
_REMEMBERED = 256  # files in memory whose digests are known

_digests: OrderedDict[tuple[int, int], str] = OrderedDict()
"""The digests of sealed files that this process has read, by device and inode.

Nobody can change such a file, and no other one gets its inode, so it is not hashed again: that
takes 0.5 ms a megabyte. Files on a disk are hashed each time.
"""


class CorruptImage(Exception):
    """The bytes of an image are not those that were stored."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class CallImages:
    """The images of one call, by key, with the bytes or a descriptor of each."""

    def __init__(
        self, images: Sequence[Image], descriptors: Sequence[int], inside: memoryview = _NOTHING
    ) -> None:
        """`inside` has the bytes of the images that are inside, one after the other.

        Raises ValueError for more or fewer descriptors than the images need.
        """
        self._images: dict[str, tuple[Image, int | memoryview]] = {}
        start = 0
        for image in images:
            if image.inside:
                self._images[image.key] = image, inside[start : start + image.size]
                start += image.size
        files = [image for image in images if not image.inside]
        for image, descriptor in zip(files, descriptors, strict=True):
            self._images[image.key] = image, descriptor

    def read(self, key: str) -> bytes:
        """Return all bytes of an image. Raises CorruptImage if their digest is another."""
        image, content = self._images[key]
        if isinstance(content, memoryview):
            data = bytes(content)
            digest = hashlib.sha256(data).hexdigest()
        else:
            data = _read(content, image.size)
            digest = _digest(data, content) if len(data) == image.size else ""
        if digest != image.digest:
            raise CorruptImage(key)
        return data


def _digest(data: bytes, descriptor: int) -> str:
    """Return the SHA-256 of the bytes of a file, computed once for a file that is sealed."""
    if not _is_sealed(descriptor):
        return hashlib.sha256(data).hexdigest()
    about = os.fstat(descriptor)
    file = about.st_dev, about.st_ino
    digest = _digests.get(file)
    if digest is None:
        digest = _digests[file] = hashlib.sha256(data).hexdigest()
        if len(_digests) > _REMEMBERED:
            _digests.popitem(last=False)
    return digest


def _is_sealed(descriptor: int) -> bool:
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:  # no file in memory
        return False
    return seals & _SEALED == _SEALED


def _read(descriptor: int, size: int) -> bytes:
    """Return the bytes of a file, of which a byte more than `size` is enough.

    Other processes share the file's position, so each read says its own.
    """
    parts: list[bytes] = []
    missing = size + 1
    while missing and (part := os.pread(descriptor, min(missing, _READ_SIZE), size + 1 - missing)):
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
