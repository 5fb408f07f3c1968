"""Bytes in parts: how a large blob lies in its hash, and how a body is kept until it is stored.

A reply of 60 MB is copied several times on its way, and whoever reads slowly holds all of it. A
part is small, so a process holds little of a blob, and no copy takes long.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping

PART = (256 << 10) - 64
"""Bytes of every part but the last. With Redis's own bytes a value has 256 KiB: a size of its
allocator, which would round a little more up to 320 KiB."""

_FIRST = b"data"

# Smaller pieces are gathered: a client may send single bytes, and each would take 42 as an object.
_SMALL_PIECE = 4096


def keep_freed_memory() -> None:
    """Have the C library keep the memory of a part for the next one; call it once, at the start.

    glibc returns freed memory to the system beyond a threshold, which it doubles to the largest
    block ever freed. Without this a body of 830 kB costs 320 page faults, a third of its time.
    """
    bytearray(16 << 20)


def field(number: int) -> bytes:
    """Return the name of the hash field that holds a part."""
    return b"%b:%d" % (_FIRST, number) if number else _FIRST


def split(data: bytes) -> Iterator[memoryview]:
    """Yield the parts of `data` without copying; one empty part of no data."""
    view = memoryview(data)
    for start in range(0, len(data) or 1, PART):
        yield view[start : start + PART]


def joined(fields: Mapping[bytes, bytes], size: int) -> bytes | None:
    """Return the first `size` bytes of the parts in a hash, or None where some are missing."""
    found: list[bytes] = []
    missing = size
    while missing > 0:
        part = fields.get(field(len(found)))
        if not part:
            return None
        found.append(part)
        missing -= len(part)
    return b"".join(found) if not missing else None


class Parts:
    """Bytes that arrive in pieces: kept once, in parts, with their digest."""

    def __init__(self) -> None:
        self.size = 0
        self._digest = hashlib.sha256()
        self._parts: list[bytes] = []
        self._rest: list[bytes | bytearray | memoryview] = []  # pieces that make no whole part yet
        self._rest_size = 0

    @classmethod
    def of(cls, data: bytes) -> "Parts":
        """Return the parts of bytes that are there already."""
        parts = cls()
        parts.add(data)
        return parts

    @property
    def digest(self) -> str:
        """The key of a content-addressed blob: SHA-256 in hexadecimal."""
        return self._digest.hexdigest()

    def add(self, piece: bytes) -> None:
        """Append a piece, and hash it now: SHA-256 of 60 MB at once would take 0.1 seconds."""
        self._digest.update(piece)
        self.size += len(piece)
        self._rest_size += len(piece)
        last = self._rest[-1] if self._rest else None
        if len(piece) >= _SMALL_PIECE:
            self._rest.append(piece)
        elif isinstance(last, bytearray):
            last += piece
        else:
            self._rest.append(bytearray(piece))
        while self._rest_size >= PART:
            self._parts.append(self._cut())

    def all(self) -> Iterator[bytes]:
        """Yield every part in order."""
        yield from self._parts
        if self._rest:
            yield b"".join(self._rest)

    async def pieces(self, size: int) -> AsyncIterator[bytes]:
        """Yield every part, as a `Spool` does; `size` is that of a part."""
        assert size == PART
        for part in self.all():
            yield part

    def clear(self) -> None:
        """Free the memory, while an exception's traceback still refers to this object."""
        self._parts.clear()
        self._rest.clear()

    def _cut(self) -> bytes:
        """Remove a part from the beginning of the rest.

        Pieces are joined to one part and no more: with temporary copies of other sizes, the holes
        between the parts would take a sixth of the memory.
        """
        pieces, missing = [], PART
        while missing:
            piece = memoryview(self._rest.pop(0))
            pieces.append(piece[:missing])
            if len(piece) > missing:
                self._rest.insert(0, piece[missing:])
            missing -= len(pieces[-1])
        self._rest_size -= PART
        return b"".join(pieces)
