"""How large a JPEG XL is, by its first bits: no pixel is decoded.

ISO/IEC 18181-1:2022, annex D.2 (SizeHeader), and 18181-2:2021, clause 9 (the boxes around it).
"""

from contracts.errors import ImageUnreadable

_NAKED = b"\xff\x0a"
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIDE_BITS = (9, 13, 18, 30)
_MOST_BOXES = 1000


def size(data: bytes) -> tuple[int, int]:
    """Width and height as they are stored. Raises ImageUnreadable."""
    stream = _codestream(data)
    if stream[:2] != _NAKED:
        raise ImageUnreadable("The JPEG XL has no image.")
    bits = _Bits(stream[2:18])
    is_small = bits.take(1)
    height = _side(bits, is_small)
    ratio = bits.take(3)
    if ratio in _RATIOS:
        across, down = _RATIOS[ratio]
        return height * across // down, height
    return _side(bits, is_small), height


class _Bits:
    """A number read from its lowest bit."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        taken = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return taken


def _side(bits: _Bits, is_small: int) -> int:
    if is_small:
        return (bits.take(5) + 1) * 8
    return bits.take(_SIDE_BITS[bits.take(2)]) + 1


def _codestream(data: bytes) -> bytes:
    """The beginning of what is in the boxes, or of what has none."""
    at = 0
    if data[:2] == _NAKED:
        return data[:18]
    for _ in range(_MOST_BOXES):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = at + 8
        if length == 1:
            length, body = int.from_bytes(data[body : body + 8], "big"), body + 8
        if kind == b"jxlc":
            return data[body : body + 18]
        if kind == b"jxlp":
            return data[body + 4 : body + 22]
        if length < 8:
            break
        at += length
    return b""
