"""Open files with the bytes of images: of the store, or in memory where the bytes lie in Redis."""

import asyncio
import fcntl
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass

_REMEMBERED = 4  # images from Redis that stay in the memory of this process,
_REMEMBERED_BYTES = 128 << 20  # and their bytes in all
_OPEN = 64  # files of the store that stay open,
_OPEN_SECONDS = 2.0  # for so long: the disk keeps a deleted file meanwhile
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


class OpenFiles:
    """The files of the store that were opened last, by the images' keys.

    A page asks for several sizes of one image at once, and opening a file takes a thread: as much
    time as a tenth of a small render. Each file stays open for two seconds.
    """

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[File, float]] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def find(self, key: str) -> File | None:
        """Return a file with a descriptor of its own, or None."""
        file, ends = self._files.get(key, (None, 0.0))
        if file is None or ends <= asyncio.get_running_loop().time():
            return None
        return File(os.dup(file.descriptor), file.size, file.digest)

    def add(self, key: str, file: File) -> None:
        """Keep another descriptor of a file that was opened just now."""
        self.forget(key)
        loop = asyncio.get_running_loop()
        own = File(os.dup(file.descriptor), file.size, file.digest)
        self._files[key] = own, loop.time() + _OPEN_SECONDS
        if len(self._files) > _OPEN:
            self.forget(next(iter(self._files)))
        if self._timer is None:
            self._timer = loop.call_later(_OPEN_SECONDS, self._close_old)

    def forget(self, key: str) -> None:
        """Close the file of an image, if there is one."""
        if found := self._files.pop(key, None):
            found[0].close()

    def _close_old(self) -> None:
        """Close the first files, whose time is over, and look again when that of others is."""
        loop = asyncio.get_running_loop()
        self._timer = None
        for key, (_, ends) in list(self._files.items()):
            if ends > loop.time():
                self._timer = loop.call_at(ends, self._close_old)
                break
            self.forget(key)
