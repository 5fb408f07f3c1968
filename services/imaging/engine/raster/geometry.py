"""Where a resize or a crop puts what: arithmetic on sizes and boxes, without a pixel."""

import math
from dataclasses import dataclass
from typing import Self, assert_never

from contracts.operations.shapes import Crop, Fit, Gravity, Resize

Size = tuple[int, int]
Box = tuple[float, float, float, float]  # left, upper, right, lower

# How much of what is over comes before: none of it, half of it or all of it.
_ANCHORS = {
    Gravity.TOP_LEFT: (0.0, 0.0),
    Gravity.TOP: (0.5, 0.0),
    Gravity.TOP_RIGHT: (1.0, 0.0),
    Gravity.LEFT: (0.0, 0.5),
    Gravity.CENTER: (0.5, 0.5),
    Gravity.RIGHT: (1.0, 0.5),
    Gravity.BOTTOM_LEFT: (0.0, 1.0),
    Gravity.BOTTOM: (0.5, 1.0),
    Gravity.BOTTOM_RIGHT: (1.0, 1.0),
    # Until somebody who sees the pixels has put a focus there.
    Gravity.SMART: (0.5, 0.5),
}


def nearest(length: float) -> int:
    """The nearest whole number of pixels; half a pixel is one more.

    Python's round() goes to the even one: up for one size, down for the next.
    """
    return math.floor(length + 0.5)


@dataclass(frozen=True)
class Extent:
    """A picture of `size` that lies in `box` of some other number of pixels.

    A JPEG of 2725 pixels, decoded at half its scale, is 1362.5 wide in an image of 1363.
    """

    size: Size
    box: Box

    @classmethod
    def whole(cls, size: Size) -> Self:
        """The picture is the image."""
        return cls(size, (0, 0, *size))

    def locate(self, part: Box) -> Box:
        """Where `part` of the picture lies in the image."""
        left, upper, right, lower = self.box
        across = (right - left) / self.size[0]
        down = (lower - upper) / self.size[1]
        return (
            left + part[0] * across,
            upper + part[1] * down,
            min(right, left + part[2] * across),
            min(lower, upper + part[3] * down),
        )


@dataclass(frozen=True)
class Placement:
    """`box` of the picture becomes `size`, its upper left pixel at `corner` of `canvas`."""

    box: Box
    size: Size
    canvas: Size
    corner: tuple[int, int] = (0, 0)


def place(picture: Size, resize: Resize) -> Placement:
    """What `resize` makes of a picture of this size, as its contract promises."""
    width, height = picture
    across, down = (
        nearest(side * resize.dpr) if side else 0 for side in (resize.width, resize.height)
    )
    if not across or not down:
        scale = across / width if across else down / height
        return _scaled(picture, _allowed(scale, resize))

    box = across, down
    scales = box[0] / width, box[1] / height
    match resize.fit:
        case Fit.INSIDE:
            return _scaled(picture, _allowed(min(scales), resize))
        case Fit.OUTSIDE:
            return _scaled(picture, _allowed(max(scales), resize))
        case Fit.CONTAIN:
            inside = _scaled(picture, _allowed(min(scales), resize))
            return Placement(inside.box, inside.size, box, _corner(box, inside.size, resize))
        case Fit.FILL:
            size = _times(picture, *(_allowed(scale, resize) for scale in scales))
            return Placement((0, 0, *picture), size, canvas=size)
        case Fit.COVER:
            shrink = 1.0 if resize.enlarge else min(1.0, width / box[0], height / box[1])
            return _covering(picture, _times(box, shrink, shrink), resize)
        case _:
            assert_never(resize.fit)


def cut(picture: Size, crop: Crop) -> tuple[int, int, int, int]:
    """The box that a crop by gravity keeps of a picture of this size."""
    width, height = min(picture[0], crop.width), min(picture[1], crop.height)
    over = picture[0] - width, picture[1] - height
    left, upper = map(nearest, _before(picture, over, crop))
    return left, upper, left + width, upper + height


def _before(picture: Size, over: tuple[float, float], aim: Resize | Crop) -> tuple[float, float]:
    """How much of what is over is cut off before the part that is kept, across and down."""
    anchors = _ANCHORS[aim.gravity]

    def on(axis: int, focus: float | None) -> float:
        if focus is None:
            return anchors[axis] * over[axis]
        kept = picture[axis] - over[axis]
        return min(max(0.0, focus * picture[axis] - kept / 2), over[axis])

    return on(0, aim.focus_x), on(1, aim.focus_y)


def _corner(canvas: Size, size: Size, aim: Resize) -> tuple[int, int]:
    """Where in a larger canvas a picture lies."""
    anchors = _ANCHORS[aim.gravity]

    def on(axis: int, focus: float | None) -> int:
        over = canvas[axis] - size[axis]
        if focus is None:
            return int(anchors[axis] * over)
        return int(min(max(0.0, canvas[axis] / 2 - focus * size[axis]), over))

    return on(0, aim.focus_x), on(1, aim.focus_y)


def _allowed(scale: float, resize: Resize) -> float:
    return scale if resize.enlarge else min(scale, 1.0)


def _times(size: Size, across: float, down: float) -> Size:
    return max(1, nearest(size[0] * across)), max(1, nearest(size[1] * down))


def _scaled(picture: Size, scale: float) -> Placement:
    size = _times(picture, scale, scale)
    return Placement((0, 0, *picture), size, canvas=size)


def _covering(picture: Size, size: Size, resize: Resize) -> Placement:
    scale = max(size[0] / picture[0], size[1] / picture[1])
    over = max(0.0, picture[0] - size[0] / scale), max(0.0, picture[1] - size[1] / scale)
    left, upper = _before(picture, over, resize)
    if scale == 1:
        # Whole pixels, where nothing else would move them.
        left, upper = nearest(left), nearest(upper)
    box = left, upper, picture[0] - (over[0] - left), picture[1] - (over[1] - upper)
    return Placement(box, size, canvas=size)
