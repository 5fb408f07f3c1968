"""Bytes in parts: the fields of a large blob's hash.

A reply of 60 MB is copied several times on its way, and a slow reader holds all of it. A
part is small, so a process holds little of a blob, and no copy takes long.
"""

from collections.abc import Iterator, Mapping

PART = (256 << 10) - 64
"""Bytes of every part but the last. With Redis's own bytes a value has 256 KiB: a size of its
allocator, which would round a little more up to 320 KiB."""

AT_ONCE = 4
"""Parts that travel in one trip where a process has memory for them: each trip takes 80 us."""

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
