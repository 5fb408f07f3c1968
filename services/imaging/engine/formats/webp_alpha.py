"""Find out whether an animated WebP has transparent pixels (RFC 9649, section 2.7).

Seen in libwebp 1.6 (Pillow 13.0): an animation whose header lacks the flag of alpha is decoded as
opaque, and libwebp writes such headers if all transparency lies outside of the frames' rectangles.
Browsers ignore the flag. This module can go once Pillow does.
"""

from collections.abc import Iterator
from itertools import islice

from services.imaging.engine.formats.frame_canvas import Blend, Disposal, FramePart, all_opaque

_FLAGS, _ANIMATED, _ALPHA = 20, 0x02, 0x10  # the offset of the header's flags, and two of them
_CLEARS, _REPLACES = 0x01, 0x02  # flags of a frame
_MAX_CHUNKS = 10_000  # of the file


def with_alpha_flag(data: bytes) -> bytes:
    """Return a WebP, with the flag of alpha if it is an animation with transparent pixels."""
    flags = data[_FLAGS] if data[12:16] == b"VP8X" and len(data) >= 30 else 0
    if not flags & _ANIMATED or flags & _ALPHA:
        return data
    width, height = _number(data, 24) + 1, _number(data, 27) + 1
    if all_opaque(tuple(_frames(data)), (width, height)):
        return data
    return b"".join((data[:_FLAGS], bytes([flags | _ALPHA]), memoryview(data)[_FLAGS + 1 :]))


def _frames(data: bytes) -> Iterator[FramePart]:
    for name, at in islice(_chunks(data, 12), _MAX_CHUNKS):
        if name == b"ANMF" and at + 16 <= len(data):
            left, upper = 2 * _number(data, at), 2 * _number(data, at + 3)
            width, height = _number(data, at + 6) + 1, _number(data, at + 9) + 1
            yield FramePart(
                box=(left, upper, left + width, upper + height),
                disposal=Disposal.CLEAR if data[at + 15] & _CLEARS else Disposal.KEEP,
                duration=_number(data, at + 12),
                may_be_transparent=_has_alpha(data, at + 16),
                blend=Blend.REPLACE if data[at + 15] & _REPLACES else Blend.OVER,
            )


def _has_alpha(data: bytes, at: int) -> bool:
    """Return whether a frame's pixels, whose first chunk is at `at`, have alpha."""
    name = data[at : at + 4]
    # VP8L: a byte, 14 bits for each side, and the flag.
    return name == b"ALPH" or (
        name == b"VP8L" and bool(data[at + 12 : at + 13].rjust(1, b"\0")[0] & 0x10)
    )


def _chunks(data: bytes, at: int) -> Iterator[tuple[bytes, int]]:
    """Yield the name of each chunk, and where its content begins."""
    while at + 8 <= len(data):
        yield data[at : at + 4], at + 8
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")
