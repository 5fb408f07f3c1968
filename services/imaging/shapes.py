"""Operations on an image's shape, one pure function each, on images in L, LA, RGB or RGBA."""

import math
from typing import assert_never

from PIL import Image

from contracts.errors import InvalidOperation
from contracts.shapes import Axis, Crop, Flip, Resize, Rotate, ShapeOperation
from services.imaging.colours import has_alpha
from services.imaging.geometry import Extent, place
from services.imaging.limits import Limits
from services.imaging.resample import resample

# Pillow turns counter-clockwise; clients ask for clockwise.
_QUARTER_TURNS = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


def apply(image: Image.Image, operation: ShapeOperation, limits: Limits) -> Image.Image:
    """The image after the operation; raises InvalidOperation and ImageTooBig."""
    match operation:
        case Resize():
            return resize(image, operation, Extent.whole(image.size), limits)
        case Crop():
            return crop(image, operation)
        case Rotate():
            return rotate(image, operation, limits)
        case Flip():
            return flip(image, operation)
        case _:
            assert_never(operation)


def resize(image: Image.Image, operation: Resize, extent: Extent, limits: Limits) -> Image.Image:
    """Resize the picture that lies in `extent` of the image."""
    placement = place(extent.size, operation)
    limits.check_result(*placement.canvas)
    picture = resample(image, placement.size, extent.locate(placement.box))
    if placement.canvas == placement.size:
        return picture
    canvas = Image.new(image.mode, placement.canvas, _blank(image))
    left = (placement.canvas[0] - placement.size[0]) // 2
    upper = (placement.canvas[1] - placement.size[1]) // 2
    canvas.paste(picture, (left, upper))
    return canvas


def crop(image: Image.Image, operation: Crop) -> Image.Image:
    """Cut a rectangle out of the image."""
    right = operation.left + operation.width
    lower = operation.top + operation.height
    if right > image.width or lower > image.height:
        raise InvalidOperation(
            f"The crop reaches to {right} x {lower}; the image is {image.width} x {image.height}."
        )
    return image.crop((operation.left, operation.top, right, lower))


def rotate(image: Image.Image, operation: Rotate, limits: Limits) -> Image.Image:
    """Turn clockwise: quarter turns move pixels, all others interpolate."""
    degrees = operation.degrees % 360
    if degrees == 0:
        return image
    if degrees in _QUARTER_TURNS:
        return image.transpose(_QUARTER_TURNS[int(degrees)])
    across, down = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    limits.check_result(
        math.ceil(image.width * across + image.height * down),
        math.ceil(image.width * down + image.height * across),
    )
    return image.rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=_blank(image))


def flip(image: Image.Image, operation: Flip) -> Image.Image:
    """Mirror the image."""
    match operation.axis:
        case Axis.HORIZONTAL:
            return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        case Axis.VERTICAL:
            return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        case _:
            assert_never(operation.axis)


def _blank(image: Image.Image) -> int | str:
    return 0 if has_alpha(image) else "white"
