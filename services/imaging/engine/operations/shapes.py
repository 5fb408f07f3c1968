"""Operations on an image's shape: its size, its edges and its orientation."""

import math
from typing import assert_never

from PIL import Image, ImageChops, ImageColor

from contracts.errors import InvalidOperation
from contracts.operations.choices import Axis, Gravity
from contracts.operations.shapes import (
    Crop,
    Extract,
    Flip,
    Flop,
    Pad,
    Resize,
    Rotate,
    ShapeOperation,
    Trim,
)
from contracts.operations.sizes import Size, crop_box, place_resize, rotated_size
from services.imaging.engine.operations.smart_crop import aim_crop, aim_resize
from services.imaging.engine.raster.alpha import has_alpha, premultiply
from services.imaging.engine.raster.canvas import (
    place_on_blurred_copy,
    place_on_colour,
    prepare_fill,
)
from services.imaging.engine.raster.geometry import Extent
from services.imaging.engine.raster.resample import resample
from services.imaging.engine.safety.limits import Limits

# Pillow turns counter-clockwise; clients ask for clockwise.
_QUARTER_TURNS = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}

# A rotation that moves every corner by less than this many pixels is skipped.
_LEAST_MOVE = 0.5

_MARGIN = 2  # pixels on each side that a bicubic filter reads

_IntBox = tuple[int, int, int, int]


def apply(image: Image.Image, operation: ShapeOperation, limits: Limits) -> Image.Image:
    """The image after the operation. Raises InvalidOperation and ImageTooBig."""
    match operation:
        case Resize():
            return resize(image, operation, Extent.whole(image.size), limits)
        case Crop():
            return crop(image, operation)
        case Extract():
            return _cut_out(image, operation)
        case Trim():
            return image.crop(content_box(image, operation))
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


def resolve(image: Image.Image, operation: ShapeOperation) -> ShapeOperation:
    """Replace a trim, or smart gravity, by the box or focus that this image's pixels give.

    The result does the same to this image, and the like to other images of its size.
    """
    match operation:
        case Trim():
            return _extract(content_box(image, operation))
        case Crop() if operation.gravity is Gravity.SMART:
            return _extract(crop_box(image.size, aim_crop(image, operation)))
        case Resize():
            return aim_resize(image, operation, image.size)
        case _:
            return operation


def resize(image: Image.Image, operation: Resize, extent: Extent, limits: Limits) -> Image.Image:
    """Resize the picture that lies in `extent` of the image. Raises ImageTooBig."""
    placement = place_resize(extent.size, operation)
    limits.check_result(*placement.canvas)
    aimed = aim_resize(image, operation, extent.size)
    if aimed is not operation:
        placement = place_resize(extent.size, aimed)
    picture = resample(image, placement.size, extent.locate(placement.box), operation.filter)
    if placement.canvas == placement.size:
        return picture
    return place_on_colour(picture, placement.canvas, placement.corner, operation.background)


def crop(image: Image.Image, operation: Crop) -> Image.Image:
    """Cut out a rectangle at a point, or by gravity or focus. Raises InvalidOperation."""
    if operation.left is None or operation.top is None:
        return image.crop(crop_box(image.size, aim_crop(image, operation)))
    box = operation.left, operation.top, operation.width, operation.height
    return _cut_out(image, Extract(left=box[0], top=box[1], width=box[2], height=box[3]))


def content_box(image: Image.Image, operation: Trim) -> _IntBox:
    """The smallest box with every pixel that is not background; the whole image if all is.

    Each channel of a background pixel differs by no more than `tolerance` from the background
    colour, which is the top left pixel's unless the operation names one. Colours are multiplied by
    alpha first, so transparent pixels are all alike.
    """
    if operation.colour is None:
        pixels = premultiply(image)
        background = pixels.getpixel((0, 0))
    else:
        pixels = premultiply(image.convert("RGBA"))
        named = Image.new("RGBA", (1, 1), ImageColor.getcolor(operation.colour, "RGBA"))
        background = premultiply(named).getpixel((0, 0))
    flat = Image.new(pixels.mode, pixels.size, background)
    tolerance = operation.tolerance
    content = ImageChops.difference(pixels, flat).point(lambda level: 255 * (level > tolerance))
    return content.getbbox(alpha_only=False) or (0, 0, *image.size)


def pad(image: Image.Image, operation: Pad, limits: Limits) -> Image.Image:
    """Put space around the image. Raises ImageTooBig."""
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
        return place_on_blurred_copy(image, size, corner)
    return place_on_colour(image, size, corner, operation.background)


def rotate(image: Image.Image, operation: Rotate, limits: Limits) -> Image.Image:
    """Turn clockwise; a quarter turn moves pixels, any other interpolates. Raises ImageTooBig."""
    degrees = operation.degrees % 360
    if degrees == 0:
        return image
    if degrees in _QUARTER_TURNS:
        return image.transpose(_QUARTER_TURNS[int(degrees)])
    if _corner_move(image.size, degrees) < _LEAST_MOVE:
        return image
    size = rotated_size(image.size, degrees)
    limits.check_result(*size)
    image, fill = prepare_fill(image, operation.background)
    # Pillow interpolates nothing across the image's edges: a margin makes them smooth.
    canvas = Image.new(image.mode, (image.width + 2 * _MARGIN, image.height + 2 * _MARGIN), fill)
    canvas.paste(image, (_MARGIN, _MARGIN))
    if has_alpha(image):
        # Pillow transforms RGBA premultiplied and fills before it divides by alpha again.
        fill = (*(round(band * fill[-1] / 255) for band in fill[:-1]), fill[-1])
    return canvas.transform(
        size,
        Image.Transform.AFFINE,
        _turned_back(canvas.size, size, degrees),
        Image.Resampling.BICUBIC,
        fillcolor=fill,
    )


def flip(image: Image.Image, operation: Flip) -> Image.Image:
    """Mirror the image."""
    match operation.axis:
        case Axis.HORIZONTAL:
            return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        case Axis.VERTICAL:
            return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        case _:
            assert_never(operation.axis)


def _turned_back(size: Size, rotated: Size, degrees: float) -> tuple[float, ...]:
    """The affine map from a rotated image's pixels to the image's: both middles are one point."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = rotated[0] / 2, rotated[1] / 2
    return (
        *(cos, sin, size[0] / 2 - cos * x - sin * y),
        *(-sin, cos, size[1] / 2 + sin * x - cos * y),
    )


def _corner_move(size: Size, degrees: float) -> float:
    """Return the pixels that a corner moves when the image turns about its middle."""
    return math.hypot(*size) * abs(math.sin(math.radians(degrees) / 2))


def _cut_out(image: Image.Image, box: Extract) -> Image.Image:
    """Crop to the box. Raises InvalidOperation if it is not inside of the image."""
    right, lower = box.left + box.width, box.top + box.height
    if right > image.width or lower > image.height:
        raise InvalidOperation(
            f"The crop reaches to {right} x {lower}; the image is {image.width} x {image.height}."
        )
    return image.crop((box.left, box.top, right, lower))


def _extract(box: _IntBox) -> Extract:
    left, top, right, lower = box
    return Extract(left=left, top=top, width=right - left, height=lower - top)
