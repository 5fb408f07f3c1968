"""Choices of the operations on an image's shape: how it fits into a box, and the part to keep."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contracts.fields import Fraction


class Fit(StrEnum):
    """Ways to fit an image into a box with another aspect ratio."""

    COVER = "cover"
    CONTAIN = "contain"
    FILL = "fill"
    INSIDE = "inside"
    OUTSIDE = "outside"


class Gravity(StrEnum):
    """The part of an image that a crop keeps, or the image's position in a larger box."""

    TOP_LEFT = "top_left"
    TOP = "top"
    TOP_RIGHT = "top_right"
    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom_left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom_right"
    SMART = "smart"


class Filter(StrEnum):
    """Resampling filters, from the coarsest to the finest."""

    NEAREST = "nearest"
    BOX = "box"
    BILINEAR = "bilinear"
    HAMMING = "hamming"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"


class Axis(StrEnum):
    """The direction in which an image is mirrored."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"


# The point of the image that a crop keeps as near to the middle as possible.
FocusX = Annotated[
    Fraction | None,
    Field(
        description="Horizontal position of the point to keep as near to the middle as possible: "
        "0 is the left edge, 1 the right edge. Takes precedence over gravity."
    ),
]
FocusY = Annotated[
    Fraction | None,
    Field(description="Vertical position of that point: 0 is the top edge, 1 the bottom edge."),
]
