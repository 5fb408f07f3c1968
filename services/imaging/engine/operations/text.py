"""Draw the text of a text operation."""

import math
import unicodedata

from PIL import Image, ImageDraw, ImageFont, features

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.operations.overlays import MAX_FONT, Position, Text
from services.imaging.engine.operations.fonts import Fonts
from services.imaging.engine.operations.tones import is_gray
from services.imaging.engine.raster.geometry import to_pixels

# A text may be larger than the picture that it is cut off by: 160 MB in colour.
_MAX_PIXELS = 40_000_000

# The last code point is never a character: a font draws it as its box for missing characters.
_MISSING = "\U0010ffff"

LEFT = (Position.TOP_LEFT, Position.LEFT, Position.BOTTOM_LEFT)
RIGHT = (Position.TOP_RIGHT, Position.RIGHT, Position.BOTTOM_RIGHT)


def draw_text(operation: Text, fonts: Fonts, picture_width: int) -> Image.Image:
    """The text in LA or RGBA on transparent pixels, just large enough to hold it.

    `picture_width` is what a size in percent refers to. Lines are aligned as the operation's
    position is: left, centre or right. Raises InvalidOperation for an unknown font or a character
    that can't be drawn, and ImageTooBig.
    """
    size = min(MAX_FONT, max(1.0, to_pixels(operation.size, picture_width)))
    font = fonts.find(operation.font, size)
    _check_characters(operation.text, font)
    align = "left" if operation.position in LEFT else "right"
    if operation.position not in LEFT + RIGHT:
        align = "center"

    measure = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, upper, right, lower = measure.textbbox(
        (0, 0), operation.text, font, align=align, stroke_width=operation.stroke
    )
    origin = -math.floor(left), -math.floor(upper)
    extent = max(1, math.ceil(right) + origin[0]), max(1, math.ceil(lower) + origin[1])
    if math.prod(extent) > _MAX_PIXELS:
        raise ImageTooBig(f"The text would be {extent[0]:,} x {extent[1]:,} pixels.")

    def mask(stroke: int) -> Image.Image:
        drawn = Image.new("L", extent)
        pen = ImageDraw.Draw(drawn)
        pen.text(origin, operation.text, 255, font, align=align, stroke_width=stroke)
        return drawn

    colours = operation.colour, operation.stroke_colour
    mode = "L" if all(map(is_gray, colours)) else "RGB"
    letters = mask(stroke=0)
    if not operation.stroke:
        result = Image.new(mode, extent, operation.colour)
        result.putalpha(letters)
        return result
    result = Image.new(mode, extent, operation.stroke_colour)
    result.paste(Image.new(mode, extent, operation.colour), mask=letters)
    result.putalpha(mask(operation.stroke))
    return result


def _check_characters(text: str, font: ImageFont.FreeTypeFont) -> None:
    """Raise InvalidOperation for a text that would be drawn as boxes or in the wrong order.

    Pillow joins letters and writes from right to left only with Raqm.
    """
    characters = sorted(set("".join(text.split())))
    right_to_left = any(unicodedata.bidirectional(one) in ("R", "AL") for one in characters)
    if right_to_left and not features.check("raqm"):
        raise InvalidOperation("text: writing from right to left needs Raqm, which is missing.")
    small = font.font_variant(size=20)
    box = _drawn(small, _MISSING)
    missing = [character for character in characters if _drawn(small, character) == box]
    if missing:
        raise InvalidOperation(f"text: the font lacks {' '.join(missing[:20])}.")


def _drawn(font: ImageFont.FreeTypeFont, character: str) -> tuple[float, bytes]:
    return font.getlength(character), bytes(font.getmask(character))
