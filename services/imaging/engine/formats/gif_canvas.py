"""Decode the frames of a GIF onto a transparent canvas, as browsers do (GIF89a, section 23).

Seen in Pillow 13.0: unless the first frame has a transparent colour, Pillow fills the area that no
frame covers, and the area that disposal 2 clears, with a colour of the table. A file whose table is
a ramp of grays opens in mode L, and its later frames are wrong. This module can go once Pillow
leaves those areas transparent and opens every animated GIF in P, RGB or RGBA.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from contracts.errors import ImageUnreadable
from services.imaging.engine.raster.geometry import Size
from services.imaging.engine.safety.decode_errors import translate_decode_errors

_CLEAR, _RESTORE_PREVIOUS = 2, 3  # disposal methods
_TABLE, _INTERLACED = 0x80, 0x40  # flags of a screen or an image descriptor
_NO_CONTROL = bytes(8)

_Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class FramePart:
    """The rectangle that one frame of a GIF draws."""

    box: _Box  # left, upper, right, lower; on the canvas
    disposal: int
    duration: int  # milliseconds
    file: tuple[bytes, ...]  # a GIF of this rectangle alone, to be joined

    def decode(self) -> Image.Image:
        """Return the rectangle's pixels in RGBA. Raises ImageUnreadable and ImageTooBig."""
        data = io.BytesIO(b"".join(self.file))
        with translate_decode_errors(), Image.open(data, formats=("GIF",)) as image:
            return image.convert("RGBA")


class GifCanvas:
    """Compose the frames of one GIF on a transparent canvas. Keeps one canvas, or two."""

    def __init__(self, parts: tuple[FramePart, ...], size: Size) -> None:
        self._parts = parts
        self._size = size
        self._next = 0
        self._shown: Image.Image | None = None
        # The next frame is drawn on this canvas, after this box of the canvas is cleared.
        self._base: Image.Image | None = None
        self._to_clear: _Box | None = None

    def frame(self, number: int) -> Image.Image:
        """Return the whole canvas at frame `number` in RGBA.

        Raises ImageUnreadable and ImageTooBig.

        An earlier frame than the last one asked for is composed from the first frame again.
        """
        if number < self._next - 1:
            self._next, self._shown, self._base, self._to_clear = 0, None, None, None
        while self._shown is None or self._next <= number:
            self._shown = self._compose(self._part(self._next))
            self._next += 1
        return self._shown

    def duration(self, number: int) -> int:
        """Return how long frame `number` is shown, in milliseconds. Raises ImageUnreadable."""
        return self._part(number).duration

    def _part(self, number: int) -> FramePart:
        if number >= len(self._parts):
            raise ImageUnreadable(f"The GIF ends before frame {number + 1}.")
        return self._parts[number]

    def _compose(self, part: FramePart) -> Image.Image:
        left, upper, right, lower = part.box
        if right > self._size[0] or lower > self._size[1]:
            raise ImageUnreadable(f"Frame {self._next + 1} is larger than the image.")
        canvas = self._base.copy() if self._base else Image.new("RGBA", self._size)
        if self._to_clear:
            canvas.paste((0, 0, 0, 0), self._to_clear)
        if left < right and upper < lower:
            pixels = part.decode()
            canvas.paste(pixels, (left, upper), pixels)
        if part.disposal != _RESTORE_PREVIOUS:
            self._base = canvas
            self._to_clear = part.box if part.disposal == _CLEAR else None
        return canvas


def canvas_for(data: bytes, image: Image.Image) -> GifCanvas | None:
    """Return a canvas for a GIF that Pillow decodes wrongly; None where Pillow is right.

    `data` is the file, and `image` the same file as Pillow opened it.
    """
    size = image.size
    parts = tuple(_parts(data))
    if not parts:
        return None
    first, all_but_last = parts[0], parts[:-1]
    first_covers_all = first.box == (0, 0, *size)
    first_is_removed = len(parts) > 1 and first.disposal == _RESTORE_PREVIOUS
    opened_as_gray = len(parts) > 1 and image.mode != "P"
    any_cleared = any(part.disposal == _CLEAR for part in all_but_last)
    if first_covers_all and not (first_is_removed or opened_as_gray or any_cleared):
        return None
    return GifCanvas(parts, size)


def table_bytes(flags: int) -> int:
    """Return the length of the colour table that the flags of a descriptor announce."""
    return 6 << (flags & 7) if flags & _TABLE else 0


def _parts(data: bytes) -> Iterator[FramePart]:
    flags = data[10]
    at = 13 + table_bytes(flags)
    global_table = data[13:at]
    control = _NO_CONTROL
    while data[at : at + 1] in (b"!", b",", b"\0"):
        kind = data[at]
        if kind == 0x21 and data[at + 1 : at + 3] == b"\xf9\4":
            control = data[at : at + 8]
        if kind == 0x21:
            at = _after_blocks(data, at + 2)
        elif kind == 0:
            at += 1
        elif len(data) >= at + 11:
            part, at = _part(data, at, global_table, control)
            yield part
            control = _NO_CONTROL
        else:
            return


def _part(data: bytes, at: int, global_table: bytes, control: bytes) -> tuple[FramePart, int]:
    """Return the frame whose image descriptor is at `at`, and where its data ends."""
    left, upper, width, height = (
        int.from_bytes(data[place : place + 2], "little") for place in range(at + 1, at + 9, 2)
    )
    flags, start = data[at + 9], at + 10 + table_bytes(data[at + 9])
    end = _after_blocks(data, start + 1)
    table = data[at + 10 : start] or global_table
    bits = (len(table) // 3).bit_length() - 2
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    file = (
        b"GIF89a" + size + bytes([_TABLE | bits if table else 0, 0, 0]) + table,
        # Without the disposal: no frame comes before this one in the file.
        control[:3] + bytes([control[3] & 1]) + control[4:] if control[0] else b"",
        b"," + bytes(4) + size + bytes([flags & _INTERLACED]),
        data[start:end] + b";",
    )
    duration = 10 * int.from_bytes(control[4:6], "little")
    box = left, upper, left + width, upper + height
    return FramePart(box, control[3] >> 2 & 7, duration, file), end


def _after_blocks(data: bytes, at: int) -> int:
    """Return where a chain of sub-blocks ends, its terminator included."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1
