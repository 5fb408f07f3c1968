"""Operations on an image's shape, one pure function each, on images in L, LA, RGB or RGBA."""

import math
from typing import assert_never

from PIL import Image

from contracts.errors import InvalidOperation
from contracts.operations.shapes import (
    Axis,
    Crop,
    Extract,
    Fit,
    Flip,
    Flop,
    Gravity,
    Pad,
    Resize,
    Rotate,
    ShapeOperation,
    Trim,
)
from services.imaging.engine.operations import smart_crop
from services.imaging.engine.operations.trim import picture_box
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.canvas import on_colour, on_itself, prepared
from services.imaging.engine.raster.geometry import Extent, Size, cut, place
from services.imaging.engine.raster.resample import resample
from services.imaging.engine.safety.limits import Limits

# Pillow turns counter-clockwise; clients ask for clockwise.
_QUARTER_TURNS = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


# A corner that moves by less stays in its pixel.
_SEEN = 0.5


def apply(image: Image.Image, operation: ShapeOperation, limits: Limits) -> Image.Image:
    """The image after the operation; raises InvalidOperation and ImageTooBig."""
    match operation:
        case Resize():
            return resize(image, operation, Extent.whole(image.size), limits)
        case Crop():
            return crop(image, operation)
        case Extract():
            return extract(image, operation)
        case Trim():
            return image.crop(picture_box(image, operation.tolerance, operation.colour))
        case Pad():
            return pad(image, operation, limits)
        case Rotate():
            return rotate(image, operation, limits)
        case Flip():
            return flip(image, operation)
        case Flop():
            return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        case _:
            assert_never(operation)


def settle(image: Image.Image, operation: ShapeOperation) -> ShapeOperation:
    """The operation as this image decides it, for others of the same size: it looks at no pixels.

    On this image it does what the operation does.
    """
    match operation:
        case Trim():
            return _extracting(picture_box(image, operation.tolerance, operation.colour))
        case Crop() if operation.gravity is Gravity.SMART:
            return _extracting(cut(image.size, _aimed_crop(image, operation)))
        case Resize():
            return _aimed_resize(image, operation, image.size)
        case _:
            return operation


def resize(image: Image.Image, operation: Resize, extent: Extent, limits: Limits) -> Image.Image:
    """Resize the picture that lies in `extent` of the image."""
    limits.check_result(*place(extent.size, operation).canvas)
    placement = place(extent.size, _aimed_resize(image, operation, extent.size))
    picture = resample(image, placement.size, extent.locate(placement.box), operation.filter)
    if placement.canvas == placement.size:
        return picture
    return on_colour(picture, placement.canvas, placement.corner, operation.background)


def crop(image: Image.Image, operation: Crop) -> Image.Image:
    """Cut a rectangle out of the image, at a point or by gravity."""
    if operation.left is None or operation.top is None:
        return image.crop(cut(image.size, _aimed_crop(image, operation)))
    return _cut_out(image, operation.left, operation.top, operation.width, operation.height)


def extract(image: Image.Image, operation: Extract) -> Image.Image:
    """Cut a rectangle out of the image, at a point."""
    return _cut_out(image, operation.left, operation.top, operation.width, operation.height)


def pad(image: Image.Image, operation: Pad, limits: Limits) -> Image.Image:
    """Put space around the image."""
    if operation.width is None and operation.height is None:
        corner = operation.left, operation.top
        size = (
            image.width + operation.left + operation.right,
            image.height + operation.top + operation.bottom,
        )
    else:
        size = max(image.width, operation.width or 0), max(image.height, operation.height or 0)
        corner = (size[0] - image.width) // 2, (size[1] - image.height) // 2
    limits.check_result(*size)
    if size == image.size:
        return image
    if operation.blurred:
        return on_itself(image, size, corner)
    return on_colour(image, size, corner, operation.background)


def rotate(image: Image.Image, operation: Rotate, limits: Limits) -> Image.Image:
    """Turn clockwise: quarter turns move pixels, all others interpolate."""
    degrees = operation.degrees % 360
    if degrees == 0:
        return image
    if degrees in _QUARTER_TURNS:
        return image.transpose(_QUARTER_TURNS[int(degrees)])
    if _moved(image.size, degrees) < _SEEN:
        return image
    across, down = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    limits.check_result(
        math.ceil(image.width * across + image.height * down),
        math.ceil(image.width * down + image.height * across),
    )
    image, fill = prepared(image, operation.background)
    if has_alpha(image):
        # Pillow turns premultiplied pixels, and fills up among them.
        fill = (*(round(band * fill[-1] / 255) for band in fill[:-1]), fill[-1])
    return image.rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)


def flip(image: Image.Image, operation: Flip) -> Image.Image:
    """Mirror the image."""
    match operation.axis:
        case Axis.HORIZONTAL:
            return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        case Axis.VERTICAL:
            return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        case _:
            assert_never(operation.axis)


def _moved(size: Size, degrees: float) -> float:
    """How many pixels a corner moves when the image is turned about its middle."""
    return math.hypot(*size) * abs(math.sin(math.radians(degrees) / 2))


def _cut_out(image: Image.Image, left: int, top: int, width: int, height: int) -> Image.Image:
    right, lower = left + width, top + height
    if right > image.width or lower > image.height:
        raise InvalidOperation(
            f"The crop reaches to {right} x {lower}; the image is {image.width} x {image.height}."
        )
    return image.crop((left, top, right, lower))


def _extracting(box: tuple[int, int, int, int]) -> Extract:
    left, top, right, lower = box
    return Extract(left=left, top=top, width=right - left, height=lower - top)


def _aimed_crop(image: Image.Image, operation: Crop) -> Crop:
    if operation.gravity is not Gravity.SMART:
        return operation
    window = operation.width / image.width, operation.height / image.height
    return operation.model_copy(update=_aim(image, operation, window))


def _aimed_resize(image: Image.Image, operation: Resize, picture: Size) -> Resize:
    if operation.gravity is not Gravity.SMART:
        return operation
    placement = place(picture, operation)
    if operation.fit is not Fit.COVER or placement.box == (0, 0, *picture):
        return operation.model_copy(update={"gravity": Gravity.CENTER})
    left, upper, right, lower = placement.box
    window = (right - left) / picture[0], (lower - upper) / picture[1]
    return operation.model_copy(update=_aim(image, operation, window))


def _aim(
    image: Image.Image, operation: Resize | Crop, window: tuple[float, float]
) -> dict[str, object]:
    """The focus that takes the place of smart gravity; where one is given it stays."""
    x, y = smart_crop.focus(image, window)
    return {
        "gravity": Gravity.CENTER,
        "focus_x": x if operation.focus_x is None else operation.focus_x,
        "focus_y": y if operation.focus_y is None else operation.focus_y,
    }
