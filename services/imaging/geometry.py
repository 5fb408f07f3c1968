"""Where a resize puts what: arithmetic on sizes and boxes, without a pixel."""

from dataclasses import dataclass
from typing import Self, assert_never

from contracts.shapes import Fit, Resize

Size = tuple[int, int]
Box = tuple[float, float, float, float]  # left, upper, right, lower


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
    """`box` of the picture becomes `size`, in the middle of `canvas`."""

    box: Box
    size: Size
    canvas: Size


def place(picture: Size, resize: Resize) -> Placement:
    """What `resize` makes of a picture of this size, as its contract promises."""
    width, height = picture
    if resize.width is None or resize.height is None:
        scale = resize.width / width if resize.width else (resize.height or height) / height
        return _scaled(picture, _allowed(scale, resize))

    box = resize.width, resize.height
    scales = box[0] / width, box[1] / height
    match resize.fit:
        case Fit.INSIDE:
            return _scaled(picture, _allowed(min(scales), resize))
        case Fit.OUTSIDE:
            return _scaled(picture, _allowed(max(scales), resize))
        case Fit.CONTAIN:
            inside = _scaled(picture, _allowed(min(scales), resize))
            return Placement(inside.box, inside.size, canvas=box)
        case Fit.FILL:
            size = _times(picture, *(_allowed(scale, resize) for scale in scales))
            return Placement((0, 0, *picture), size, canvas=size)
        case Fit.COVER:
            shrink = 1.0 if resize.enlarge else min(1.0, width / box[0], height / box[1])
            return _covering(picture, _times(box, shrink, shrink))
        case _:
            assert_never(resize.fit)


def _allowed(scale: float, resize: Resize) -> float:
    return scale if resize.enlarge else min(scale, 1.0)


def _times(size: Size, across: float, down: float) -> Size:
    return max(1, round(size[0] * across)), max(1, round(size[1] * down))


def _scaled(picture: Size, scale: float) -> Placement:
    size = _times(picture, scale, scale)
    return Placement((0, 0, *picture), size, canvas=size)


def _covering(picture: Size, size: Size) -> Placement:
    scale = max(size[0] / picture[0], size[1] / picture[1])
    left = max(0.0, (picture[0] - size[0] / scale) / 2)
    upper = max(0.0, (picture[1] - size[1] / scale) / 2)
    box = left, upper, picture[0] - left, picture[1] - upper
    return Placement(box, size, canvas=size)
