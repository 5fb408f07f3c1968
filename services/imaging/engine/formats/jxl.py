"""What a JPEG XL is, by its first bits: no pixel is decoded.

ISO/IEC 18181-1:2022, annex D (the headers), and 18181-2:2021, clause 9 (the boxes around them).
"""

from dataclasses import dataclass

from contracts.errors import ImageUnreadable
from services.imaging.engine.raster.geometry import Size

_NAKED = b"\xff\x0a"
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_MOST_BOXES = 1000
_MOST_HEADER = 4096  # bytes
_ALPHA, _SPOT, _FILTER = 0, 2, 5  # kinds of channels besides the colours
_GRAY = 1  # a space of colours

# D.1: four ways to write a number, each so many bits and what is added to them.
_Ways = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
_SIDE: _Ways = ((9, 1), (13, 1), (18, 1), (30, 1))
_ENUM: _Ways = ((0, 0), (0, 1), (4, 2), (6, 18))
_CHANNELS: _Ways = ((0, 0), (0, 1), (4, 2), (12, 1))


@dataclass(frozen=True)
class Header:
    """What is known before a pixel is."""

    size: Size  # upright
    mode: str  # as Pillow names it


def header(data: bytes) -> Header:
    """The image's size, upright, and its mode. Raises ImageUnreadable."""
    stream = _codestream(data)
    if stream[:2] != _NAKED:
        raise ImageUnreadable("The JPEG XL has no image.")
    bits = _Bits(stream[2:])
    width, height = _size(bits)
    if bits.flag():
        return Header((width, height), "RGB")
    if bits.flag() and _lies(bits):
        width, height = height, width
    gray = _gray_mode(bits)
    bits.skip(1)  # whether 16 bits are enough
    # A list, so that each is read.
    has_alpha = any([_channel(bits) == _ALPHA for _ in range(bits.number(_CHANNELS))])
    bits.skip(1)  # whether the colours are those of eyes, XYB
    is_srgb = bits.flag()
    bits.skip(1)  # whether a profile follows
    if is_srgb or bits.number(_ENUM) != _GRAY:
        return Header((width, height), "RGBA" if has_alpha else "RGB")
    return Header((width, height), "LA" if has_alpha else gray)


class _Bits:
    """Numbers read from their lowest bits; what lies behind the end is zero."""

    def __init__(self, data: bytes) -> None:
        self._all = int.from_bytes(data, "little")
        self._at = 0

    def take(self, count: int) -> int:
        taken = (self._all >> self._at) & ((1 << count) - 1)
        self._at += count
        return taken

    def skip(self, count: int) -> None:
        self._at += count

    def flag(self) -> bool:
        return bool(self.take(1))

    def number(self, ways: _Ways) -> int:
        count, more = ways[self.take(2)]
        return self.take(count) + more


def _size(bits: _Bits) -> Size:
    is_small = bits.flag()

    def side() -> int:
        return (bits.take(5) + 1) * 8 if is_small else bits.number(_SIDE)

    height, ratio = side(), bits.take(3)
    if ratio in _RATIOS:
        across, down = _RATIOS[ratio]
        return height * across // down, height
    return side(), height


def _lies(bits: _Bits) -> bool:
    """Whether it lies on its side; goes past its preview and its animation."""
    orientation = bits.take(3) + 1
    if bits.flag():
        _size(bits)  # as it would like to be shown
    if bits.flag():
        _preview(bits)
    if bits.flag():
        bits.number(((0, 100), (0, 1000), (10, 1), (30, 1)))
        bits.number(((0, 1), (0, 1001), (8, 1), (10, 1)))
        bits.number(((0, 0), (3, 0), (16, 0), (32, 0)))
        bits.skip(1)
    return orientation >= 5


def _preview(bits: _Bits) -> None:
    sides: _Ways = ((6, 1), (8, 65), (10, 321), (12, 1345))
    if bits.flag():
        sides = ((0, 16), (0, 32), (5, 1), (9, 33))
    bits.number(sides)
    if bits.take(3) not in _RATIOS:
        bits.number(sides)


def _gray_mode(bits: _Bits) -> str:
    """The mode of one channel as deep as this."""
    if bits.flag():
        bits.number(((0, 32), (0, 16), (0, 24), (6, 1)))
        bits.skip(4)
        return "F"
    return "L" if bits.number(((0, 8), (0, 10), (0, 12), (6, 1))) <= 8 else "I;16"


def _channel(bits: _Bits) -> int:
    """What kind of channel it is."""
    if bits.flag():
        return _ALPHA
    kind = bits.number(_ENUM)
    _gray_mode(bits)
    bits.number(((0, 0), (0, 3), (0, 4), (3, 1)))
    bits.skip(8 * bits.number(((0, 0), (4, 0), (5, 16), (10, 48))))  # its name
    if kind == _ALPHA:
        bits.skip(1)
    elif kind == _SPOT:
        bits.skip(64)
    elif kind == _FILTER:
        bits.number(((0, 1), (2, 0), (4, 3), (8, 19)))
    return kind


def _codestream(data: bytes) -> bytes:
    """The beginning of what is in the boxes, or of what has none."""
    at = 0
    if data[:2] == _NAKED:
        return data[:_MOST_HEADER]
    for _ in range(_MOST_BOXES):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = at + 8
        if length == 1:
            length, body = int.from_bytes(data[body : body + 8], "big"), body + 8
        if kind == b"jxlc":
            return data[body : body + _MOST_HEADER]
        if kind == b"jxlp":
            return data[body + 4 : body + 4 + _MOST_HEADER]
        if length < 8:
            break
        at += length
    return b""
