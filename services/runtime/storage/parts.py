"""Bytes in parts: how a large blob lies in its hash, and how a body is kept until it is stored.

A reply of 60 MB is copied several times on its way, and whoever reads slowly holds all of it. A
part is small, so a process holds little of a blob, and no copy takes long.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

PART = (256 << 10) - 64
"""Bytes of every part but the last. With Redis's own bytes a value has 256 KiB: a size of its
allocator, which would round a little more up to 320 KiB."""

_FIRST = b"data"


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
        self._rest: list[bytes] = []  # pieces that make no whole part yet
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
        """Append a piece, and hash it: a piece takes less than a millisecond, 60 MB would take a
        hundred."""
        self._digest.update(piece)
        self.size += len(piece)
        self._rest.append(piece)
        self._rest_size += len(piece)
        if self._rest_size >= PART:
            data = b"".join(self._rest)
            whole = len(data) - len(data) % PART
            self._parts += (data[start : start + PART] for start in range(0, whole, PART))
            self._rest = [data[whole:]]
            self._rest_size = len(data) - whole

    def all(self) -> Sequence[bytes]:
        """Return every part in order."""
        return [*self._parts, b"".join(self._rest)] if self._rest_size else self._parts
