"""What lies at an image's edges, around it and behind it, on images in L, LA, RGB or RGBA."""

import math
from typing import assert_never

from PIL import Image, ImageChops, ImageDraw

from contracts.operations.finishes import Background, Border, FinishOperation, Round, Vignette
from services.imaging.engine.operations.tones import holding
from services.imaging.engine.operations.units import pixels
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.canvas import on_colour
from services.imaging.engine.safety.limits import Limits

# A round corner is drawn at so many times its size, in strips of so many pixels of that.
_FINER = 4
_STRIP = 4_000_000


def apply(image: Image.Image, operation: FinishOperation, limits: Limits) -> Image.Image:
    """The image after the operation; raises ImageTooBig."""
    match operation:
        case Vignette():
            return vignette(image, operation)
        case Round():
            return round_off(image, operation)
        case Border():
            return border(image, operation, limits)
        case Background():
            return background(image, operation.colour)
        case _:
            assert_never(operation)


def vignette(image: Image.Image, operation: Vignette) -> Image.Image:
    """Mix the colour in by an ellipse that goes through the corners; the transparency stays."""
    begin = min(1 - operation.softness, 254 / 255)

    def faded(tone: int) -> int:
        way = max(0.0, (tone / 255 - begin) / (1 - begin))
        return round(255 * operation.amount * way * way * (3 - 2 * way))

    # Pillow's goes from 0 in the middle to 255 in the corners.
    gradient = Image.radial_gradient("L").point([faded(tone) for tone in range(256)])
    mask = gradient.resize(image.size, Image.Resampling.BILINEAR)
    image = holding(image, operation.colour)
    result = Image.composite(Image.new(image.mode, image.size, operation.colour), image, mask)
    if has_alpha(image):
        result.putalpha(image.getchannel("A"))
    return result


def round_off(image: Image.Image, operation: Round) -> Image.Image:
    """Make what is outside of round corners transparent; pixels on the edge are so in part."""
    shorter = min(image.size)
    if operation.radius == "circle":
        mask = Image.new("L", image.size)
        disc = _rounded((shorter, shorter), shorter / 2)
        mask.paste(disc, ((image.width - shorter) // 2, (image.height - shorter) // 2))
    else:
        mask = _rounded(image.size, min(pixels(operation.radius, shorter), shorter / 2))
    if has_alpha(image):
        mask = ImageChops.multiply(mask, image.getchannel("A"))
    result = image.copy()
    result.putalpha(mask)
    return result


def border(image: Image.Image, operation: Border, limits: Limits) -> Image.Image:
    """Put the image in the middle of a larger one."""
    size = image.width + 2 * operation.width, image.height + 2 * operation.width
    limits.check_result(*size)
    return on_colour(image, size, (operation.width, operation.width), operation.colour)


def background(image: Image.Image, colour: str) -> Image.Image:
    """The image as it looks on the colour, without transparency."""
    if not has_alpha(image):
        return image
    image = holding(image, colour)
    opaque = image.convert(image.mode.removesuffix("A"))
    canvas = Image.new(opaque.mode, image.size, colour)
    canvas.paste(opaque, mask=image.getchannel("A"))
    return canvas


def _rounded(size: tuple[int, int], radius: float) -> Image.Image:
    """White with round corners."""
    mask = Image.new("L", size, 255)
    corner = _corner(radius)
    right, lower = size[0] - corner.width, size[1] - corner.height
    for turn, place in (
        (None, (0, 0)),
        (Image.Transpose.FLIP_LEFT_RIGHT, (right, 0)),
        (Image.Transpose.FLIP_TOP_BOTTOM, (0, lower)),
        (Image.Transpose.ROTATE_180, (right, lower)),
    ):
        mask.paste(corner if turn is None else corner.transpose(turn), place)
    return mask


def _corner(radius: float) -> Image.Image:
    """The upper left corner, its edge smooth."""
    side = math.ceil(radius)
    corner = Image.new("L", (side, side), 255)
    fine, middle = max(0, round(2 * radius * _FINER) - 1), round(radius * _FINER)
    rows = max(1, _STRIP // (max(1, side) * _FINER**2))
    for upper in range(0, side, rows):
        strip = Image.new("L", (side * _FINER, min(rows, side - upper) * _FINER))
        shift = upper * _FINER
        draw = ImageDraw.Draw(strip)
        draw.ellipse((0, -shift, fine, fine - shift), fill=255)
        # Past the middle of the circle there is nothing to round.
        draw.rectangle((middle, 0, *strip.size), fill=255)
        draw.rectangle((0, min(middle - shift, strip.height), *strip.size), fill=255)
        corner.paste(strip.reduce(_FINER), (0, upper))
    return corner
