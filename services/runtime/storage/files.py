"""Open files with the bytes of images: of the store, or in memory where the bytes lie in Redis."""

import fcntl
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass

_REMEMBERED = 4  # images from Redis that stay in the memory of this process,
_REMEMBERED_BYTES = 128 << 20  # and their bytes in all
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@dataclass(frozen=True)
class File:
    """A file with an image's bytes, open for reading. Close it."""

    descriptor: int
    size: int
    digest: str

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)


class MemoryFiles:
    """The files of the last images that were read from Redis, by the images' keys."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, File] = OrderedDict()

    def find(self, key: str) -> File | None:
        """Return a file with a descriptor of its own, or None."""
        file = self._files.get(key)
        if file is None:
            return None
        self._files.move_to_end(key)
        return File(os.dup(file.descriptor), file.size, file.digest)

    async def add(self, key: str, pieces: AsyncIterator[bytes], *, size: int, digest: str) -> File:
        """Write a file, and return it as `find` does.

        The files that were unused for longest are closed if there are too many.
        """
        descriptor = os.memfd_create("image", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            async for piece in pieces:
                os.write(descriptor, piece)
            # A pool process gets the file, and so does the next one.
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        except BaseException:
            os.close(descriptor)
            raise
        self.forget(key)  # it may have been read twice at once
        self._files[key] = File(descriptor, size, digest)
        while len(self._files) > 1 and (
            len(self._files) > _REMEMBERED
            or sum(one.size for one in self._files.values()) > _REMEMBERED_BYTES
        ):
            _, oldest = self._files.popitem(last=False)
            oldest.close()
        return File(os.dup(descriptor), size, digest)

    def forget(self, key: str) -> None:
        """Close the file of an image, if there is one."""
        if file := self._files.pop(key, None):
            file.close()
