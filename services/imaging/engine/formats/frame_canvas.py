"""Compose the frames of an animated PNG or GIF from their rectangles, on a transparent canvas.

PNG, Third Edition (W3C, 2025), section 11.3.6.2, and GIF89a, section 23, where browsers clear to
transparency instead of the background colour.

Seen in Pillow 13.0: a translucent pixel drawn over an opaque one makes it translucent; loading a
frame before seeking to the next one makes the next one wrong where it restores the previous;
interlaced frames, and frames of 16-bit gray, can't be read unless they cover the canvas; a default
image that is no frame shows below the frames. A GIF's areas that no frame covers, or that a frame
clears, get a colour of the table. This module can go once Pillow shows such files as browsers do.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from PIL import Image
from PIL.GifImagePlugin import GifImageFile
from PIL.PngImagePlugin import PngImageFile

from contracts.errors import ImageUnreadable
from contracts.operations.sizes import Size
from services.imaging.engine.formats.png_transparency import with_transparency
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.colours import SRGB
from services.imaging.engine.raster.profiles import to_srgb
from services.imaging.engine.safety.decode_errors import translate_decode_errors

# A frame of a GIF may be larger than the canvas. All of it is decoded, so its pixels are limited.
_MAX_RATIO = 2  # to the pixels of the canvas
_SMALL_FRAME = 65_536  # pixels

_Box = tuple[int, int, int, int]


class Disposal(Enum):
    """The change of a frame's rectangle before the next frame."""

    KEEP = auto()
    CLEAR = auto()
    RESTORE_PREVIOUS = auto()


class Blend(Enum):
    """Ways to draw a frame's pixels over those below."""

    REPLACE = auto()
    MASK = auto()  # each pixel is opaque or transparent
    OVER = auto()


@dataclass(frozen=True)
class FramePart:
    """The rectangle that one frame draws."""

    box: _Box  # left, upper, right, lower; on the canvas, or reaching outside
    disposal: Disposal
    duration: int  # milliseconds
    may_be_transparent: bool  # has pixels with alpha, or may have
    blend: Blend
    # A PNG or a GIF of this rectangle alone, to be joined.
    file: tuple[bytes | memoryview, ...] = ()

    def decode(self) -> Image.Image:
        """Return the rectangle's pixels in a work mode. Raises ImageUnreadable and ImageTooBig."""
        data = b"".join(self.file)
        is_gif = data[:3] == b"GIF"
        with translate_decode_errors():
            # Image.open takes 7 us more, as long as 300 pixels.
            image = (GifImageFile if is_gif else PngImageFile)(io.BytesIO(data))
            image.load()
        stored = image if is_gif else with_transparency(image, data)
        # The colours of the file become sRGB after the frame is composed.
        return to_srgb(stored, SRGB)


class FrameCanvas:
    """Compose the frames of one animation. Keeps one canvas, or two."""

    def __init__(
        self, parts: Sequence[FramePart], size: Size, plays: int, *, is_gray: bool = False
    ) -> None:
        """`plays` is how often a viewer plays the animation; 0 is for ever."""
        self.plays = plays
        self._parts = parts
        self._size = size
        self._mode = "L" if is_gray else "RGB"
        if not all_opaque(parts, size):
            self._mode += "A"
        self._next = 0
        self._shown: Image.Image | None = None
        # The next frame is drawn on this canvas, after this box of the canvas is cleared.
        self._base: Image.Image | None = None
        self._to_clear: _Box | None = None

    def __len__(self) -> int:
        return len(self._parts)

    def frame(self, number: int) -> Image.Image:
        """Return the whole canvas at frame `number`, in the same work mode for every frame.

        Raises ImageUnreadable and ImageTooBig.

        An earlier frame than the last one asked for is composed from the first frame again.
        """
        if number < self._next - 1:
            self._next, self._shown, self._base, self._to_clear = 0, None, None, None
        while self._shown is None or self._next <= number:
            self._shown = self._compose(self._parts[self._next])
            self._next += 1
        return self._shown

    def duration(self, number: int) -> int:
        """Return how long frame `number` is shown, in milliseconds."""
        return self._parts[number].duration

    def _compose(self, part: FramePart) -> Image.Image:
        if part.blend is Blend.REPLACE and part.box == (0, 0, *self._size):
            canvas = _in_mode(part.decode(), self._mode)
        else:
            # Before the part is decoded: Pillow takes the memory that it freed last, which was a
            # canvas, and would make that as small as the part.
            canvas = self._base.copy() if self._base else Image.new(self._mode, self._size)
            if self._to_clear:
                canvas.paste((0,) * len(self._mode), self._to_clear)
            self._draw(part, canvas)
        if part.disposal is not Disposal.RESTORE_PREVIOUS:
            self._base = canvas
            self._to_clear = part.box if part.disposal is Disposal.CLEAR else None
        return canvas

    def _draw(self, part: FramePart, canvas: Image.Image) -> None:
        """Draw a part on a canvas; what lies outside of the canvas is cut off."""
        left, upper, right, lower = part.box
        width, height = self._size
        if left >= min(right, width) or upper >= min(lower, height):
            return
        if (right - left) * (lower - upper) > max(_SMALL_FRAME, _MAX_RATIO * width * height):
            raise ImageUnreadable(f"Frame {self._next + 1} is larger than the image.")
        pixels = part.decode()
        if part.blend is Blend.REPLACE or not has_alpha(pixels):
            canvas.paste(pixels, (left, upper))
        elif part.blend is Blend.MASK:
            # As alpha_composite does, in a tenth of the time.
            mask = pixels.getchannel("A").convert("1", dither=Image.Dither.NONE)
            canvas.paste(pixels, (left, upper), mask)
        else:
            canvas.alpha_composite(_in_mode(pixels, self._mode), (left, upper))


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def all_opaque(parts: Sequence[FramePart], size: Size) -> bool:
    """Return whether every pixel of every frame is opaque, as far as the headers tell."""
    uncovered: _Box | None = (0, 0, *size)
    for part in parts:
        if part.may_be_transparent and (part.blend is Blend.REPLACE or uncovered):
            return False
        if uncovered and not _contains(part.box, uncovered):
            return False
        if part.disposal is not Disposal.RESTORE_PREVIOUS:
            uncovered = part.box if part.disposal is Disposal.CLEAR else None
    return True


def _contains(outer: _Box, inner: _Box) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and outer[2] >= inner[2]
        and outer[3] >= inner[3]
    )
