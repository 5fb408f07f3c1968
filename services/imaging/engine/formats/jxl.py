"""Read the size and mode of a JPEG XL from its header, without decoding a pixel.

ISO/IEC 18181-1:2022, annex D (the headers), and 18181-2:2021, clause 9 (the boxes around them).

Seen in pillow-jxl-plugin 1.3.8: `Image.open` decodes every pixel, so a file has to be judged before
that. This module can go once the plugin opens a file by its header.
"""

from dataclasses import dataclass

from contracts.errors import ImageUnreadable
from contracts.operations.sizes import Size

_BARE = b"\xff\x0a"  # begins a codestream, which may be a file without boxes
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_MAX_BOXES = 1000
_MAX_HEADER = 4096  # bytes
_ALPHA, _SPOT_COLOUR, _COLOUR_FILTER = 0, 2, 5  # types of extra channels
_GRAY = 1  # a colour space

# D.1, U32: four ways to write a number, each a count of bits and an offset added to them.
_Ways = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
_SIDE: _Ways = ((9, 1), (13, 1), (18, 1), (30, 1))
_ENUM: _Ways = ((0, 0), (0, 1), (4, 2), (6, 18))
_CHANNELS: _Ways = ((0, 0), (0, 1), (4, 2), (12, 1))


@dataclass(frozen=True)
class Header:
    """The size and mode of an image that is not decoded."""

    size: Size  # upright
    mode: str  # as Pillow names it


def header(data: bytes) -> Header:
    """Return the header of a file. Raises ImageUnreadable if it has no codestream.

    Bits past the end of the file read as zero, so a truncated header gives some size.
    """
    stream = _codestream(data)
    if stream[:2] != _BARE:
        raise ImageUnreadable("The JPEG XL has no image.")
    bits = _Bits(stream[2:])
    width, height = _size(bits)
    if bits.flag():  # all the rest has its default
        return Header((width, height), "RGB")
    if bits.flag() and _swaps_sides(bits):
        width, height = height, width
    gray = _gray_mode(bits)
    bits.skip(1)  # whether 16 bits suffice
    # A list, so that every channel is read.
    has_alpha = any([_channel_type(bits) == _ALPHA for _ in range(bits.number(_CHANNELS))])
    bits.skip(1)  # whether the colours are XYB
    is_srgb = bits.flag()
    bits.skip(1)  # whether an ICC profile follows
    if is_srgb or bits.number(_ENUM) != _GRAY:
        return Header((width, height), "RGBA" if has_alpha else "RGB")
    return Header((width, height), "LA" if has_alpha else gray)


class _Bits:
    """Read numbers from bytes, lowest bit first; past the end every bit is zero."""

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
        count, offset = ways[self.take(2)]
        return self.take(count) + offset


def _size(bits: _Bits) -> Size:
    is_small = bits.flag()

    def side() -> int:
        return (bits.take(5) + 1) * 8 if is_small else bits.number(_SIDE)

    height, ratio = side(), bits.take(3)
    if ratio in _RATIOS:
        across, down = _RATIOS[ratio]
        return height * across // down, height
    return side(), height


def _swaps_sides(bits: _Bits) -> bool:
    """Return whether the orientation swaps width and height; read past preview and animation."""
    orientation = bits.take(3) + 1
    if bits.flag():
        _size(bits)  # the intrinsic size, which says how to show the image
    if bits.flag():
        _skip_preview(bits)
    if bits.flag():  # an animation: ticks a second (two numbers), loops, time codes
        bits.number(((0, 100), (0, 1000), (10, 1), (30, 1)))
        bits.number(((0, 1), (0, 1001), (8, 1), (10, 1)))
        bits.number(((0, 0), (3, 0), (16, 0), (32, 0)))
        bits.skip(1)
    return orientation >= 5


def _skip_preview(bits: _Bits) -> None:
    sides: _Ways = ((6, 1), (8, 65), (10, 321), (12, 1345))
    if bits.flag():
        sides = ((0, 16), (0, 32), (5, 1), (9, 33))
    bits.number(sides)
    if bits.take(3) not in _RATIOS:
        bits.number(sides)


def _gray_mode(bits: _Bits) -> str:
    """Read a bit depth, and return Pillow's mode for one channel of it."""
    if bits.flag():
        bits.number(((0, 32), (0, 16), (0, 24), (6, 1)))
        bits.skip(4)
        return "F"
    return "L" if bits.number(((0, 8), (0, 10), (0, 12), (6, 1))) <= 8 else "I;16"


def _channel_type(bits: _Bits) -> int:
    """Read the description of an extra channel, and return the channel's type."""
    if bits.flag():
        return _ALPHA
    kind = bits.number(_ENUM)
    _gray_mode(bits)
    bits.number(((0, 0), (0, 3), (0, 4), (3, 1)))
    bits.skip(8 * bits.number(((0, 0), (4, 0), (5, 16), (10, 48))))  # its name
    if kind == _ALPHA:
        bits.skip(1)
    elif kind == _SPOT_COLOUR:
        bits.skip(64)
    elif kind == _COLOUR_FILTER:
        bits.number(((0, 1), (2, 0), (4, 3), (8, 19)))
    return kind


def _codestream(data: bytes) -> bytes:
    """Return the beginning of the codestream, from its box if the file has boxes."""
    at = 0
    if data[:2] == _BARE:
        return data[:_MAX_HEADER]
    for _ in range(_MAX_BOXES):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = at + 8
        if length == 1:
            length, body = int.from_bytes(data[body : body + 8], "big"), body + 8
        if kind == b"jxlc":
            return data[body : body + _MAX_HEADER]
        if kind == b"jxlp":
            return data[body + 4 : body + 4 + _MAX_HEADER]
        if length < 8:
            break
        at += length
    return b""
