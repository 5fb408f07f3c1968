"""Operations on an image's edges and background."""

import math
from typing import assert_never

from PIL import Image, ImageChops, ImageDraw

from contracts.operations.finishes import Background, Border, FinishOperation, Round, Vignette
from services.imaging.engine.operations.tones import convert_for_colour
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.canvas import place_on_colour
from services.imaging.engine.raster.geometry import Size, to_pixels
from services.imaging.engine.safety.limits import Limits

# A round corner is drawn at this many times its size and averaged, which makes its edge smooth;
# it is drawn in strips, so that a large one needs no more pixels at once.
_SUPERSAMPLING = 4
_STRIP_PIXELS = 4_000_000


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
    begin = min(1 - operation.softness, 254 / 255)

    def strength(distance: int) -> int:
        x = max(0.0, (distance / 255 - begin) / (1 - begin))
        return round(255 * operation.amount * x * x * (3 - 2 * x))  # smoothstep

    # Pillow's gradient is 0 in the middle and 255 in the corners.
    gradient = Image.radial_gradient("L").point([strength(distance) for distance in range(256)])
    mask = gradient.resize(image.size, Image.Resampling.BILINEAR)
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


def _rounded_mask(size: Size, radius: float) -> Image.Image:
    """White with round black corners, in mode L."""
    mask = Image.new("L", size, 255)
    corner = _upper_left_corner(radius)
    right, lower = size[0] - corner.width, size[1] - corner.height
    for turn, position in (
        (None, (0, 0)),
        (Image.Transpose.FLIP_LEFT_RIGHT, (right, 0)),
        (Image.Transpose.FLIP_TOP_BOTTOM, (0, lower)),
        (Image.Transpose.ROTATE_180, (right, lower)),
    ):
        mask.paste(corner if turn is None else corner.transpose(turn), position)
    return mask


def _upper_left_corner(radius: float) -> Image.Image:
    side = math.ceil(radius)
    corner = Image.new("L", (side, side), 255)
    diameter = max(0, round(2 * radius * _SUPERSAMPLING) - 1)
    middle = round(radius * _SUPERSAMPLING)
    rows = max(1, _STRIP_PIXELS // (max(1, side) * _SUPERSAMPLING**2))
    for upper in range(0, side, rows):
        strip_rows = min(rows, side - upper)
        strip = Image.new("L", (side * _SUPERSAMPLING, strip_rows * _SUPERSAMPLING))
        shift = upper * _SUPERSAMPLING
        draw = ImageDraw.Draw(strip)
        draw.ellipse((0, -shift, diameter, diameter - shift), fill=255)
        # Right of and below the middle of the circle, all is inside.
        draw.rectangle((middle, 0, *strip.size), fill=255)
        draw.rectangle((0, min(middle - shift, strip.height), *strip.size), fill=255)
        corner.paste(strip.reduce(_SUPERSAMPLING), (0, upper))
    return corner
