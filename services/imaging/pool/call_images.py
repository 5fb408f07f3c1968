"""The images of a call in a pool process: read from their descriptors, and checked."""

import hashlib
import os
from collections.abc import Sequence

from services.imaging.pool.messages import Image

_READ_SIZE = 16 << 20  # bytes


class CorruptImage(Exception):
    """The bytes of an image are not those that were stored."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class CallImages:
    """The images of one call, by key, with a descriptor of each."""

    def __init__(self, images: Sequence[Image], descriptors: Sequence[int]) -> None:
        self._images = {
            image.key: (image, descriptor)
            for image, descriptor in zip(images, descriptors, strict=True)
        }

    def read(self, key: str) -> bytes:
        """Return all bytes of an image. Raises CorruptImage if their digest is another."""
        image, descriptor = self._images[key]
        data = _read(descriptor, image.size)
        if len(data) != image.size or hashlib.sha256(data).hexdigest() != image.digest:
            raise CorruptImage(key)
        return data


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
