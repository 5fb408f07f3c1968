"""What is laid over an image: another image, a text; on images in L, LA, RGB or RGBA."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from PIL import Image, ImageDraw

from contracts.errors import ImageTooBig, NotFound
from contracts.operations.overlays import MAX_FONT, OverlayOperation, Position, Text, Watermark
from services.imaging.engine.operations.fonts import Fonts, check_letters
from services.imaging.engine.operations.tones import is_gray
from services.imaging.engine.operations.units import pixels
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.geometry import Size, nearest
from services.imaging.engine.raster.resample import resample

# What a text may take before it is cut off at the picture's edges: 160 MB in colour.
_MOST_TEXT = 40_000_000  # pixels

_LEFT = (Position.TOP_LEFT, Position.LEFT, Position.BOTTOM_LEFT)
_RIGHT = (Position.TOP_RIGHT, Position.RIGHT, Position.BOTTOM_RIGHT)
_TOP = (Position.TOP_LEFT, Position.TOP, Position.TOP_RIGHT)
_BOTTOM = (Position.BOTTOM_LEFT, Position.BOTTOM, Position.BOTTOM_RIGHT)


@dataclass(frozen=True)
class Stamp:
    """What is laid over an image, in the size and with the transparency that it has there."""

    image: Image.Image  # LA or RGBA
    position: Position
    x: int
    y: int


def settle(
    picture: Size, operation: OverlayOperation, images: Mapping[str, Image.Image], fonts: Fonts
) -> Stamp:
    """What lies over a picture of this size; raises NotFound, InvalidOperation and ImageTooBig.

    The frames of an animation share it.
    """
    match operation:
        case Watermark():
            if operation.image not in images:
                raise NotFound(f"watermark: there is no image {operation.image}.")
            image = scaled(images[operation.image], operation.scale, picture)
        case Text():
            image = written(operation, fonts, picture[0])
        case _:
            assert_never(operation)
    return Stamp(faded(image, operation.opacity), operation.position, operation.x, operation.y)


def scaled(stamp: Image.Image, scale: float | None, picture: Size) -> Image.Image:
    """The stamp at a part of the picture's width, and no higher than the picture."""
    if scale is None:
        return stamp
    factor = min(picture[0] * scale / stamp.width, picture[1] / stamp.height)
    size = max(1, nearest(stamp.width * factor)), max(1, nearest(stamp.height * factor))
    return resample(stamp, size, (0, 0, *stamp.size))


def written(operation: Text, fonts: Fonts, width: int) -> Image.Image:
    """The text on nothing, as large as it is; raises InvalidOperation and ImageTooBig.

    Lines lie as their position does: at the left, in the middle, at the right.
    """
    size = min(MAX_FONT, max(1.0, pixels(operation.size, width)))
    font = fonts.find(operation.font, size)
    check_letters(operation.text, font)
    align = "left" if operation.position in _LEFT else "right"
    if operation.position not in _LEFT + _RIGHT:
        align = "center"

    def box(stroke: int) -> tuple[float, float, float, float]:
        pen = ImageDraw.Draw(Image.new("L", (1, 1)))
        return pen.textbbox((0, 0), operation.text, font, align=align, stroke_width=stroke)

    left, upper, right, lower = box(operation.stroke)
    at = -math.floor(left), -math.floor(upper)
    extent = max(1, math.ceil(right) + at[0]), max(1, math.ceil(lower) + at[1])
    if math.prod(extent) > _MOST_TEXT:
        raise ImageTooBig(f"The text would be {extent[0]:,} x {extent[1]:,} pixels.")

    def shape(stroke: int) -> Image.Image:
        mask = Image.new("L", extent)
        pen = ImageDraw.Draw(mask)
        pen.text(at, operation.text, 255, font, align=align, stroke_width=stroke)
        return mask

    colours = operation.colour, operation.stroke_colour
    mode = "L" if all(map(is_gray, colours)) else "RGB"
    letters = shape(0)
    if not operation.stroke:
        result = Image.new(mode, extent, operation.colour)
        result.putalpha(letters)
        return result
    result = Image.new(mode, extent, operation.stroke_colour)
    result.paste(Image.new(mode, extent, operation.colour), mask=letters)
    result.putalpha(shape(operation.stroke))
    return result


def faded(stamp: Image.Image, opacity: float) -> Image.Image:
    """The stamp with transparency, and so much of its opacity."""
    result = stamp if has_alpha(stamp) else stamp.convert(stamp.mode + "A")
    if opacity == 1:
        return result
    alpha = result.getchannel("A").point([round(tone * opacity) for tone in range(256)])
    result = result.copy()
    result.putalpha(alpha)
    return result


def laid(image: Image.Image, stamp: Stamp) -> Image.Image:
    """The stamp over the image, once or as tiles; in colour if either is."""
    mode = "RGB" if "RGB" in image.mode + stamp.image.mode else "L"
    canvas = image.convert(mode + "A" if has_alpha(image) else mode)
    tile = stamp.image.convert(mode + "A")
    if stamp.position is Position.TILE:
        row = Image.new(tile.mode, (canvas.width, min(tile.height, canvas.height)))
        for left in range(0, canvas.width, tile.width + stamp.x):
            row.paste(tile, (left, 0))
        for upper in range(0, canvas.height, tile.height + stamp.y):
            _lay(canvas, row, (0, upper))
    else:
        _lay(canvas, tile, _corner(canvas.size, stamp))
    return canvas


def _corner(picture: Size, stamp: Stamp) -> tuple[int, int]:
    room = picture[0] - stamp.image.width, picture[1] - stamp.image.height
    left, upper = room[0] // 2 + stamp.x, room[1] // 2 + stamp.y
    if stamp.position in _LEFT:
        left = stamp.x
    if stamp.position in _RIGHT:
        left = room[0] - stamp.x
    if stamp.position in _TOP:
        upper = stamp.y
    if stamp.position in _BOTTOM:
        upper = room[1] - stamp.y
    return left, upper


def _lay(canvas: Image.Image, stamp: Image.Image, at: tuple[int, int]) -> None:
    left, upper = max(0, at[0]), max(0, at[1])
    right = min(canvas.width, at[0] + stamp.width)
    lower = min(canvas.height, at[1] + stamp.height)
    if left >= right or upper >= lower:
        return
    seen = stamp.crop((left - at[0], upper - at[1], right - at[0], lower - at[1]))
    box = left, upper, right, lower
    if has_alpha(canvas):
        canvas.paste(Image.alpha_composite(canvas.crop(box), seen), box)
    else:
        canvas.paste(seen.convert(canvas.mode), box, seen.getchannel("A"))
