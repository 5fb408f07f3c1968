"""A GIF's frames on nothing, as browsers show them.

Pillow puts them on the first of their colours where no frame covers the canvas, or where one was
cleared (GIF89a, section 23, disposal 2), unless the first frame happens to be transparent. Where it
writes some, it takes what is transparent for the colour that another frame's table has there.
"""

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

from contracts.errors import ImageUnreadable
from services.imaging.engine.formats.gif_delays import LONGEST, Delays
from services.imaging.engine.raster.animation import Animation
from services.imaging.engine.raster.geometry import Size

_CLEARED, _AS_BEFORE = 2, 3  # what becomes of a frame once it has been seen
_TABLE, _INTERLACED = 0x80, 0x40
_LAST = 255  # of the largest table


@dataclass(frozen=True)
class Part:
    """What one frame draws, and where."""

    box: tuple[int, int, int, int]
    disposal: int
    duration: int  # milliseconds
    file: tuple[bytes, ...]  # a GIF of it alone, in pieces

    def drawn(self) -> Image.Image:
        """In RGBA."""
        with Image.open(io.BytesIO(b"".join(self.file)), formats=("GIF",)) as image:
            return image.convert("RGBA")


class GifCanvas:
    """The frames of a GIF that needs nothing behind them, one after the other."""

    def __init__(self, parts: tuple[Part, ...], size: Size) -> None:
        self._parts = parts
        self._size = size
        self._next = 0
        self._seen: Image.Image | None = None
        # What the next one is drawn upon, once this box of it is cleared.
        self._left: Image.Image | None = None
        self._box: tuple[int, int, int, int] | None = None

    def frame(self, number: int) -> Image.Image:
        """The whole canvas in RGBA; going back means to start again. Raises ImageUnreadable."""
        if number < self._next - 1:
            self._next, self._seen, self._left, self._box = 0, None, None, None
        while self._seen is None or self._next <= number:
            self._seen = self._draw(self._parts[self._next])
            self._next += 1
        return self._seen

    def duration(self, number: int) -> int:
        """Milliseconds."""
        return self._parts[number].duration

    def _draw(self, part: Part) -> Image.Image:
        left, upper, right, lower = part.box
        if right > self._size[0] or lower > self._size[1]:
            raise ImageUnreadable(f"Frame {self._next + 1} is larger than the image.")
        seen = self._left.copy() if self._left else Image.new("RGBA", self._size)
        if self._box:
            seen.paste((0, 0, 0, 0), self._box)
        if left < right and upper < lower:
            drawn = part.drawn()
            seen.paste(drawn, (left, upper), drawn)
        if part.disposal != _AS_BEFORE:
            self._left = seen
            self._box = part.box if part.disposal == _CLEARED else None
        return seen


def reel_of(data: bytes, image: Image.Image) -> GifCanvas | None:
    """The frames of a GIF that is seen through; None for one that Pillow shows as it is.

    Of one that starts in gray (its table is a ramp) Pillow shows no other frame.
    """
    size = image.size
    parts = tuple(_parts(data))
    if not parts:
        return None
    first, others = parts[0], parts[:-1]
    covers = first.box == (0, 0, *size)
    leaves_nothing = len(parts) > 1 and first.disposal == _AS_BEFORE
    starts_gray = len(parts) > 1 and image.mode != "P"
    clears = any(part.disposal == _CLEARED for part in others)
    if covers and not (leaves_nothing or starts_gray or clears):
        return None
    return GifCanvas(parts, size)


def written(film: Animation, encode: Callable[[Image.Image], bytes]) -> bytes:
    """A film that is seen through as a file, each frame cleared before the next.

    `encode` gives a still GIF.
    """
    delays = Delays()
    shown: list[tuple[bytes, tuple[int, int], int]] = []
    for number in range(film.n_frames):
        film.seek(number)
        # What comes first is shown on a colour by Pillow, unless it covers everything.
        box = (film.getbbox() if number else None) or (0, 0, *film.size)
        still, corner = encode(film.crop(box)), box[:2]
        duration = delays.after(film.durations[number])
        if shown and shown[-1][:2] == (still, corner) and shown[-1][2] + duration <= LONGEST:
            duration += shown.pop()[2]
        shown.append((still, corner, duration))
    head = b"GIF89a" + struct.pack("<HHBBB", *film.size, 0, 0, 0)
    # A GIF says how often it is repeated, and nothing where it is played once.
    repeats = struct.pack("<H", max(0, film.plays - 1))
    loop = b"" if film.plays == 1 else b"!\xff\x0bNETSCAPE2.0\3\1" + repeats + b"\0"
    return b"".join((head, loop, *(_placed(*one) for one in shown), b";"))


def _placed(still: bytes, corner: tuple[int, int], duration: int) -> bytes:
    at = 13 + _table_bytes(still[10])
    table = still[13:at]
    # Pillow shows nothing through a film whose first frame has no hole, as one of 256 colours.
    hole = _LAST if len(table) <= 3 * _LAST else None
    if still[at : at + 1] == b"!":
        hole, at = still[at + 6], at + 8
    flags = _CLEARED << 2 | (hole is not None)
    return b"".join((
        b"!\xf9\4" + struct.pack("<BHBB", flags, duration // 10, hole or 0, 0),
        b"," + struct.pack("<HH", *corner) + still[at + 5 : at + 9],
        bytes([still[at + 9] | still[10] & (_TABLE | 7)]) + table,
        still[at + 10 : -1],
    ))  # fmt: skip


def _parts(data: bytes) -> Iterator[Part]:
    flags = data[10]
    at = 13 + _table_bytes(flags)
    shared = data[13:at]
    control = bytes(8)
    while data[at : at + 1] in (b"!", b",", b"\0"):
        kind = data[at]
        if kind == 0x21 and data[at + 1 : at + 3] == b"\xf9\4":
            control = data[at : at + 8]
        if kind == 0x21:
            at = _behind(data, at + 2)
        elif kind == 0:
            at += 1
        elif len(data) >= at + 11:
            part, at = _part(data, at, shared, control)
            yield part
            control = bytes(8)
        else:
            return


def _part(data: bytes, at: int, shared: bytes, control: bytes) -> tuple[Part, int]:
    left, upper, width, height = (
        int.from_bytes(data[place : place + 2], "little") for place in range(at + 1, at + 9, 2)
    )
    flags, start = data[at + 9], at + 10 + _table_bytes(data[at + 9])
    end = _behind(data, start + 1)
    table = data[at + 10 : start] or shared
    bits = (len(table) // 3).bit_length() - 2
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    file = (
        b"GIF89a" + size + bytes([_TABLE | bits if table else 0, 0, 0]) + table,
        # Nothing comes before it, and so nothing is cleared.
        control[:3] + bytes([control[3] & 1]) + control[4:] if control[0] else b"",
        b"," + bytes(4) + size + bytes([flags & _INTERLACED]),
        data[start:end] + b";",
    )
    duration = 10 * int.from_bytes(control[4:6], "little")
    box = left, upper, left + width, upper + height
    return Part(box, control[3] >> 2 & 7, duration, file), end


def _behind(data: bytes, at: int) -> int:
    """Where a chain of blocks has ended."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _table_bytes(flags: int) -> int:
    return 6 << (flags & 7) if flags & _TABLE else 0
