"""Sizes of images after operations: arithmetic only, from the size in the header."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import assert_never

from contracts.operations.choices import Fit, Gravity
from contracts.operations.finishes import Background, Border, Round, Vignette
from contracts.operations.looks import Look
from contracts.operations.overlays import Overlay
from contracts.operations.pipeline import Operation
from contracts.operations.shapes import Crop, Extract, Flip, Flop, Pad, Resize, Rotate, Trim

Size = tuple[int, int]
Box = tuple[float, float, float, float]  # left, upper, right, lower

# Of the pixels that are cut off or added: the part that goes to the left and above.
_PART_BEFORE = {
    Gravity.TOP_LEFT: (0.0, 0.0),
    Gravity.TOP: (0.5, 0.0),
    Gravity.TOP_RIGHT: (1.0, 0.0),
    Gravity.LEFT: (0.0, 0.5),
    Gravity.CENTER: (0.5, 0.5),
    Gravity.RIGHT: (1.0, 0.5),
    Gravity.BOTTOM_LEFT: (0.0, 1.0),
    Gravity.BOTTOM: (0.5, 1.0),
    Gravity.BOTTOM_RIGHT: (1.0, 1.0),
    # As the center, until `smart_crop` replaces smart gravity by a focus.
    Gravity.SMART: (0.5, 0.5),
}


def round_half_up(length: float) -> int:
    """The nearest whole number; 2.5 becomes 3 and 3.5 becomes 4.

    Python's round() takes the even neighbour: 2.5 becomes 2.
    """
    return math.floor(length + 0.5)


@dataclass(frozen=True)
class Placement:
    """A resize in numbers: scale `box` of the picture to `size`, paste it on a `canvas`.

    `corner` is where on the canvas its upper left pixel comes to lie.
    """

    box: Box
    size: Size
    canvas: Size
    corner: tuple[int, int] = (0, 0)


def size_after(operation: Operation, size: Size) -> Size:
    """Return the size of the image after an operation; for a trim, the largest it may have."""
    width, height = size
    match operation:
        case Resize():
            return place_resize(size, operation).canvas
        case Crop():
            left, upper, right, lower = crop_box(size, operation)
            return right - left, lower - upper
        case Extract():
            return min(width, operation.width), min(height, operation.height)
        case Pad():
            return (
                max(width, operation.width or 0) + operation.left + operation.right,
                max(height, operation.height or 0) + operation.top + operation.bottom,
            )
        case Rotate():
            return rotated_size(size, operation.degrees)
        case Border():
            return width + 2 * operation.width, height + 2 * operation.width
        case Trim() | Flip() | Flop() | Look() | Vignette() | Round() | Background() | Overlay():
            return size
        case _:
            assert_never(operation)


# A render asks three times: for its cost, for its draft and for its pixels.
@lru_cache(maxsize=16)
def place_resize(picture: Size, resize: Resize) -> Placement:
    """The box, size and canvas of a resize of a picture of this size.

    Smart gravity counts as center here: `smart_crop.aim_resize` replaces it by a focus.
    """
    width, height = picture
    across, down = (
        round_half_up(side * resize.dpr) if side else 0 for side in (resize.width, resize.height)
    )
    if not across or not down:
        scale = across / width if across else down / height
        return _scaled(picture, _limited(scale, resize))

    target = across, down
    scales = across / width, down / height
    match resize.fit:
        case Fit.INSIDE:
            return _scaled(picture, _limited(min(scales), resize))
        case Fit.OUTSIDE:
            return _scaled(picture, _limited(max(scales), resize))
        case Fit.CONTAIN:
            inside = _scaled(picture, _limited(min(scales), resize))
            corner = _corner(target, inside.size, resize)
            return Placement(inside.box, inside.size, target, corner)
        case Fit.FILL:
            size = _times(picture, *(_limited(scale, resize) for scale in scales))
            return Placement((0, 0, *picture), size, canvas=size)
        case Fit.COVER:
            return _covering(picture, _covered(picture, target, resize), resize)
        case _:
            assert_never(resize.fit)


def crop_box(picture: Size, crop: Crop) -> tuple[int, int, int, int]:
    """The box that a crop by gravity or focus keeps of a picture of this size."""
    width, height = min(picture[0], crop.width), min(picture[1], crop.height)
    excess = picture[0] - width, picture[1] - height
    left, upper = map(round_half_up, _cut_before(picture, excess, crop))
    return left, upper, left + width, upper + height


def rotated_size(size: Size, degrees: float) -> Size:
    """The least size that holds a rotated image: 600 x 450 by 45 degrees needs 743 x 743."""
    across, down = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    # The cosine of 60 degrees is 0.5000000000000001.
    return (
        math.ceil(round(size[0] * across + size[1] * down, 6)),
        math.ceil(round(size[0] * down + size[1] * across, 6)),
    )


def _cut_before(
    picture: Size, excess: tuple[float, float], aim: Resize | Crop
) -> tuple[float, float]:
    """Return how many of the excess pixels are cut off at the left and at the top.

    A focus is brought as near to the middle of the part that is kept as the edges allow.
    """
    parts = _PART_BEFORE[aim.gravity]

    def on_axis(axis: int, focus: float | None) -> float:
        if focus is None:
            return parts[axis] * excess[axis]
        kept = picture[axis] - excess[axis]
        return min(max(0.0, focus * picture[axis] - kept / 2), excess[axis])

    return on_axis(0, aim.focus_x), on_axis(1, aim.focus_y)


def _corner(canvas: Size, size: Size, aim: Resize) -> tuple[int, int]:
    """Return the left and top of a picture of this size on a larger canvas."""
    parts = _PART_BEFORE[aim.gravity]

    def on_axis(axis: int, focus: float | None) -> int:
        space = canvas[axis] - size[axis]
        if focus is None:
            return int(parts[axis] * space)
        return int(min(max(0.0, canvas[axis] / 2 - focus * size[axis]), space))

    return on_axis(0, aim.focus_x), on_axis(1, aim.focus_y)


def _limited(scale: float, resize: Resize) -> float:
    """The scale, at most 1 unless the resize may enlarge."""
    return scale if resize.enlarge is True else min(scale, 1.0)


def _covered(picture: Size, target: Size, resize: Resize) -> Size:
    """The size of a cover that may be kept from enlarging the picture."""
    if resize.enlarge is True:
        return target
    if resize.enlarge == "crop":
        return min(target[0], picture[0]), min(target[1], picture[1])
    shrink = min(1.0, picture[0] / target[0], picture[1] / target[1])
    return _times(target, shrink, shrink)


def _times(size: Size, across: float, down: float) -> Size:
    return max(1, round_half_up(size[0] * across)), max(1, round_half_up(size[1] * down))


def _scaled(picture: Size, scale: float) -> Placement:
    size = _times(picture, scale, scale)
    return Placement((0, 0, *picture), size, canvas=size)


def _covering(picture: Size, size: Size, resize: Resize) -> Placement:
    """Scale the picture until it covers `size`, and cut off the excess."""
    scale = max(size[0] / picture[0], size[1] / picture[1])
    excess = max(0.0, picture[0] - size[0] / scale), max(0.0, picture[1] - size[1] / scale)
    left, upper = _cut_before(picture, excess, resize)
    if scale == 1:
        # A box of whole pixels is copied unchanged; any other would be interpolated.
        left, upper = round_half_up(left), round_half_up(upper)
    box = left, upper, picture[0] - (excess[0] - left), picture[1] - (excess[1] - upper)
    return Placement(box, size, canvas=size)
