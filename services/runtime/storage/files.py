"""Open files with the bytes of images: of the store, or in memory where the bytes lie in Redis."""

import asyncio
import fcntl
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass

_OPEN = 64  # files that stay open,
_STORE_SECONDS = 2.0  # those of the store for so long: the disk keeps a deleted file meanwhile,
_MEMORY_SECONDS = 30.0  # and those in memory: an image that is wanted often is read again so often
_MEMORY_BYTES = 64 << 20  # of those in memory, in all
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


class OpenFiles:
    """The files that were opened last, by the images' keys, for `seconds` after they were opened.

    A page asks for several sizes of one image at once, and opening a file takes a thread: as much
    time as a tenth of a small render. At most `limit` bytes are kept, but one file in any case.
    """

    def __init__(self, seconds: float, limit: int | None = None) -> None:
        self._seconds = seconds
        self._limit = limit
        self._files: OrderedDict[str, tuple[File, float]] = OrderedDict()
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of_store(cls) -> "OpenFiles":
        """Make the files of the store: they take no memory, and their disk is freed late."""
        return cls(_STORE_SECONDS)

    @classmethod
    def in_memory(cls) -> "OpenFiles":
        """Make the files in memory: reading one again takes its bytes through Redis once more."""
        return cls(_MEMORY_SECONDS, _MEMORY_BYTES)

    def __contains__(self, key: str) -> bool:
        _, ends = self._files.get(key, (None, 0.0))
        return ends > asyncio.get_running_loop().time()

    def find(self, key: str) -> File | None:
        """Return a file with a descriptor of its own, or None."""
        if key not in self:
            return None
        file, _ = self._files[key]
        return File(os.dup(file.descriptor), file.size, file.digest)

    def add(self, key: str, file: File) -> File:
        """Keep another descriptor of a file that was opened just now, and return the file.

        The file is closed if that fails.
        """
        try:
            own = File(os.dup(file.descriptor), file.size, file.digest)
        except BaseException:
            file.close()
            raise
        self.forget(key)
        loop = asyncio.get_running_loop()
        self._files[key] = own, loop.time() + self._seconds
        self._bytes += own.size
        while len(self._files) > 1 and (
            len(self._files) > _OPEN or (self._limit is not None and self._bytes > self._limit)
        ):
            self.forget(next(iter(self._files)))
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._close_old)
        return file

    def forget(self, key: str) -> None:
        """Close the file of an image, if there is one."""
        if found := self._files.pop(key, None):
            file, _ = found
            self._bytes -= file.size
            file.close()

    def _close_old(self) -> None:
        """Close the first files, whose time is over, and look again when that of others is."""
        loop = asyncio.get_running_loop()
        self._timer = None
        for key, (_, ends) in list(self._files.items()):
            if ends > loop.time():
                self._timer = loop.call_at(ends, self._close_old)
                break
            self.forget(key)


def file_of(data: bytes, *, digest: str) -> File:
    """Return a file in memory with these bytes."""
    descriptor = _new_file()
    try:
        _write(descriptor, data)
        return _sealed(descriptor, len(data), digest)
    except BaseException:
        os.close(descriptor)
        raise


async def file_of_pieces(pieces: AsyncIterator[bytes], *, size: int, digest: str) -> File:
    """Return a file in memory with the bytes of all pieces. Raises as `pieces`."""
    descriptor = _new_file()
    try:
        async for piece in pieces:
            _write(descriptor, piece)
        return _sealed(descriptor, size, digest)
    except BaseException:
        os.close(descriptor)
        raise


def _new_file() -> int:
    return os.memfd_create("image", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sealed(descriptor: int, size: int, digest: str) -> File:
    """Return a new file, which nobody can change any more: pool processes get it in turn."""
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return File(descriptor, size, digest)
