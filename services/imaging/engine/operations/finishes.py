"""Operations on an image's edges and background."""

import math
from functools import lru_cache
from typing import assert_never

from PIL import Image, ImageChops

from contracts.operations.finishes import Background, Border, FinishOperation, Round, Vignette
from contracts.operations.sizes import Size
from services.imaging.engine.operations.tones import convert_for_colour
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.canvas import place_on_colour
from services.imaging.engine.raster.geometry import to_pixels
from services.imaging.engine.safety.limits import Limits

# A vignette is computed at this size and enlarged.
_GRADIENT_SIDE = 256


def apply(image: Image.Image, operation: FinishOperation, limits: Limits) -> Image.Image:
    """The image after the operation. Raises ImageTooBig."""
    match operation:
        case Vignette():
            return vignette(image, operation)
        case Round():
            return round_corners(image, operation)
        case Border():
            return border(image, operation, limits)
        case Background():
            return background(image, operation.colour)
        case _:
            assert_never(operation)


def vignette(image: Image.Image, operation: Vignette) -> Image.Image:
    """Blend with the colour, increasingly towards an ellipse through the corners; alpha stays."""
    mask = _vignette_mask(operation.amount, operation.softness).resize(
        image.size, Image.Resampling.BICUBIC
    )
    image = convert_for_colour(image, operation.colour)
    result = Image.composite(Image.new(image.mode, image.size, operation.colour), image, mask)
    if has_alpha(image):
        result.putalpha(image.getchannel("A"))
    return result


def round_corners(image: Image.Image, operation: Round) -> Image.Image:
    """Make the pixels outside of round corners transparent; the result is LA or RGBA."""
    shorter = min(image.size)
    if operation.radius == "circle":
        mask = Image.new("L", image.size)
        disc = _rounded_mask((shorter, shorter), shorter / 2)
        mask.paste(disc, ((image.width - shorter) // 2, (image.height - shorter) // 2))
    else:
        mask = _rounded_mask(image.size, min(to_pixels(operation.radius, shorter), shorter / 2))
    if has_alpha(image):
        mask = ImageChops.multiply(mask, image.getchannel("A"))
    result = image.copy()
    result.putalpha(mask)
    return result


def border(image: Image.Image, operation: Border, limits: Limits) -> Image.Image:
    """Paste the image in the middle of a larger one of the border's colour. Raises ImageTooBig."""
    size = image.width + 2 * operation.width, image.height + 2 * operation.width
    limits.check_result(*size)
    return place_on_colour(image, size, (operation.width, operation.width), operation.colour)


def background(image: Image.Image, colour: str) -> Image.Image:
    """Blend the image with the colour into L or RGB; without alpha it is returned unchanged."""
    if not has_alpha(image):
        return image
    image = convert_for_colour(image, colour)
    opaque = image.convert(image.mode.removesuffix("A"))
    canvas = Image.new(opaque.mode, image.size, colour)
    canvas.paste(opaque, mask=image.getchannel("A"))
    return canvas


@lru_cache(maxsize=4)
def _vignette_mask(amount: float, softness: float) -> Image.Image:
    """The share of the colour, a smoothstep of the distance from the middle: 1 in the corners."""
    begin = 1 - softness
    half = range(_GRADIENT_SIDE // 2)
    squares = [((2 * at + 1) / _GRADIENT_SIDE - 1) ** 2 / 2 for at in half]

    def strength(square: float) -> int:
        x = max(0.0, (math.sqrt(square) - begin) / softness) if softness else 0.0
        return round(255 * amount * x * x * (3 - 2 * x))

    quarter = bytes(strength(down + across) for down in squares for across in squares)
    return _mirrored(Image.frombytes("L", (len(half), len(half)), quarter), (_GRADIENT_SIDE,) * 2)


def _rounded_mask(size: Size, radius: float) -> Image.Image:
    """White with round black corners, in mode L."""
    return _mirrored(_upper_left_corner(radius), size)


def _mirrored(corner: Image.Image, size: Size) -> Image.Image:
    """White with an upper left corner, and the same in the other corners, mirrored."""
    result = Image.new("L", size, 255)
    right, lower = size[0] - corner.width, size[1] - corner.height
    for turn, position in (
        (None, (0, 0)),
        (Image.Transpose.FLIP_LEFT_RIGHT, (right, 0)),
        (Image.Transpose.FLIP_TOP_BOTTOM, (0, lower)),
        (Image.Transpose.ROTATE_180, (right, lower)),
    ):
        result.paste(corner if turn is None else corner.transpose(turn), position)
    return result


def _upper_left_corner(radius: float) -> Image.Image:
    """The part of each pixel that lies within a circle, exactly; 255 is the whole pixel."""
    side = math.ceil(radius)

    def edge(y: float) -> float:
        """Return the distance from the left to the circle at this height; or from the top, by x."""
        beyond = max(0.0, radius - y)
        return radius - math.sqrt(radius * radius - beyond * beyond)

    def outside(y: float) -> float:
        """The area left of the circle, from this height down to its middle."""
        beyond = max(0.0, radius - y)
        root = math.sqrt(radius * radius - beyond * beyond)
        circle = beyond * root + radius * radius * math.asin(beyond / radius)
        return radius * beyond - circle / 2

    def level(x: int, y: int) -> int:
        begin, end = (min(max(edge(at), y), y + 1) for at in (x + 1, x))
        crossed = (x + 1) * (end - begin) - (outside(begin) - outside(end))
        return round(255 * round(crossed + y + 1 - end, 6))

    rows = []
    for y in range(side):
        first, last = math.floor(edge(y + 1)), math.ceil(edge(y))
        crossed = bytes(level(x, y) for x in range(first, last))
        rows.append(bytes(first) + crossed + b"\xff" * (side - last))
    return Image.frombytes("L", (side, side), b"".join(rows))
