"""A body on its way into a store: in memory while it is small, and in a file from then on."""

import asyncio
import hashlib
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from contracts.errors import StoreFull, Unavailable
from services.runtime.storage.stores.disk import check_reserve
from services.runtime.storage.stores.failures import FULL
from services.runtime.storage.stores.store import CHUNK

HEAD = 64
"""Bytes of `Spool.head`, which tell every format."""

_STEP = 1 << 20  # bytes of a body in a file that are written at once, where there is memory
_MOST = 4 << 20  # bytes of the largest body that stays in memory, where there is memory
_RETRY_FULL, _RETRY_BROKEN = 10, 2  # seconds until a client should try again

ResultT = TypeVar("ResultT")


class SpoolMemory:
    """Memory that the bodies of a process share: `limit` bytes beyond the `CHUNK` of each."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, size: int) -> bool:
        """Take `size` bytes; return False if they are not left."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Give back what `take` has taken."""
        self._left += size


class Spool:
    """Bytes that arrive in pieces, with their size and digest; `close` it in every case.

    Up to `CHUNK` bytes stay in memory, and up to 4 MiB while `memory` has room: to write a body of
    1 MB to a file and to read it again takes a fifth of the gateway's time for it. A larger body
    goes to a file in the folder `scratch`, a chunk (or 1 MiB of `memory`) at a time: `write`
    returns once that is written, so no more and the caller's piece are in memory. Threads hash and
    write, so that neither takes the event loop's time. A call that is cancelled leaves nothing
    behind after `close`.

    `write`, `finish` and `pieces` raise StoreFull if the disk is full, and Unavailable if the
    folder can't be written or read.
    """

    def __init__(self, scratch: Path, memory: SpoolMemory | None = None) -> None:
        self.size = 0
        self.head = b""
        """The first `HEAD` bytes."""
        self._scratch = scratch
        self._memory = memory
        self._room = CHUNK  # bytes that may be in `_chunk`
        self._hash = hashlib.sha256()
        self._chunk = bytearray()  # bytes that are not hashed yet
        self._content: bytes | Path | None = None  # of a finished spool
        self._is_in_file = False
        # Of the threads: one that writes may still run when its call is cancelled.
        self._lock = threading.Lock()
        self._file: tuple[int, Path] | None = None
        self._is_closed = False

    @classmethod
    async def of(cls, data: bytes, scratch: Path) -> "Spool":
        """Return a finished spool of bytes that are in memory already."""
        spool = cls(scratch)
        await spool.write(data)
        await spool.finish()
        return spool

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal, of a finished spool."""
        assert self._content is not None, "call `finish` first"
        return self._hash.hexdigest()

    @property
    def content(self) -> bytes | Path:
        """All bytes, or the file with them, of a finished spool.

        A store may move the file away: `pieces` and `close` work all the same.
        """
        assert self._content is not None, "call `finish` first"
        return self._content

    async def write(self, piece: bytes) -> None:
        """Append a piece."""
        self.size += len(piece)
        if len(self.head) < HEAD:
            self.head += piece[: HEAD - len(self.head)]
        rest = memoryview(piece)
        while rest:
            if len(self._chunk) >= self._room and not self._grow():
                await self._flush()
            room = self._room - len(self._chunk)
            self._chunk += rest[:room]
            rest = rest[room:]

    async def finish(self) -> None:
        """Write what is left in memory of a large body; nothing can be added any more."""
        if self._is_in_file:
            await self._flush()
            assert self._file is not None
            self._content = self._file[1]
            return
        chunk, self._chunk = self._chunk, bytearray()
        if len(chunk) <= CHUNK:
            self._content = self._hashed(chunk)
        else:
            self._content = await _in_thread(partial(self._hashed, chunk))

    async def pieces(self, size: int = CHUNK) -> AsyncIterator[bytes]:
        """Yield the bytes of a finished spool, `size` of them at a time."""
        content = self.content
        for start in range(0, self.size, size):
            if isinstance(content, bytes):
                yield content[start : start + size]
            else:
                yield await _in_thread(partial(self._read, start, size))

    async def close(self) -> None:
        """Free the memory, and remove the file if no store has moved it away.

        An exception may refer to this object until its answer is sent. Further calls do no harm.
        """
        self._chunk.clear()
        self._shrink(CHUNK)
        if self._is_in_file:
            await _in_thread(self._remove)
        elif self._content is not None:
            self._content = b""

    def _grow(self) -> bool:
        """Double the bytes that may be in memory; return False if there is no room for them."""
        if self._memory is None or self._is_in_file or self._room >= _MOST:
            return False
        if not self._memory.take(self._room):
            return False
        self._room *= 2
        return True

    def _shrink(self, room: int) -> None:
        """Give back the memory beyond `room` bytes."""
        if self._memory is not None and self._room > room:
            self._memory.give_back(self._room - room)
            self._room = room

    def _hashed(self, chunk: bytearray) -> bytes:
        self._hash.update(chunk)
        return bytes(chunk)

    async def _flush(self) -> None:
        chunk, self._chunk = self._chunk, bytearray()
        self._is_in_file = True
        self._shrink(_STEP)
        await _in_thread(partial(self._append, chunk))

    def _append(self, chunk: bytearray) -> None:
        with self._lock, _disk_errors():
            if self._is_closed:
                return
            self._hash.update(chunk)
            check_reserve(self._scratch, len(chunk))
            if self._file is None:
                descriptor, name = tempfile.mkstemp(dir=self._scratch, prefix="body-")
                self._file = descriptor, Path(name)
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self._file[0], rest) :]

    def _read(self, start: int, size: int) -> bytes:
        with self._lock, _disk_errors():
            assert self._file is not None, "the spool is closed"
            return os.pread(self._file[0], size, start)

    def _remove(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._file is None:
                return
            (descriptor, path), self._file = self._file, None
            # A file that can't be removed now is one that the store's housekeeping removes.
            with suppress(OSError):
                os.close(descriptor)
            with suppress(OSError):
                path.unlink()


async def _in_thread(call: Callable[[], ResultT]) -> ResultT:
    """Return the result of a call in a thread, which runs to its end if the caller is cancelled."""
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, call))


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Raise the named failure in place of an OSError."""
    try:
        yield
    except OSError as exc:
        if exc.errno in FULL:
            detail = "The disk on which the gateway receives bodies is full."
            raise StoreFull(detail, retry_after=_RETRY_FULL) from exc
        detail = "The folder in which the gateway receives bodies can't be used."
        raise Unavailable(detail, retry_after=_RETRY_BROKEN) from exc
