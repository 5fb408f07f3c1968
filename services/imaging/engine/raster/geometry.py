"""Parts of decoded images, and lengths in pixels: arithmetic only, no pixels."""

from dataclasses import dataclass
from typing import Self

from contracts.operations.sizes import Box, Size


def to_pixels(length: float | str, whole: int) -> float:
    """A length of a contract in pixels: a number as it is, "25%" as a part of `whole`."""
    if isinstance(length, str):
        return float(length.removesuffix("%")) / 100 * whole
    return length


@dataclass(frozen=True)
class Extent:
    """The part of a decoded image that holds the picture: `size` is the picture's full size.

    `box` is in pixels of the image and may end within one: a JPEG of 2725 pixels, decoded at half
    its scale, is 1362.5 wide in an image of 1363.
    """

    size: Size
    box: Box

    @classmethod
    def whole(cls, size: Size) -> Self:
        """The picture fills an image of this size."""
        return cls(size, (0, 0, *size))

    def locate(self, part: Box) -> Box:
        """Convert a box in pixels of the picture to pixels of the image."""
        left, upper, right, lower = self.box
        across = (right - left) / self.size[0]
        down = (lower - upper) / self.size[1]
        return (
            left + part[0] * across,
            upper + part[1] * down,
            min(right, left + part[2] * across),
            min(lower, upper + part[3] * down),
        )
