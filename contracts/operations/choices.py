"""Choices of the operations on an image's shape: how it fits into a box, and what is kept."""

from enum import StrEnum


class Fit(StrEnum):
    """How an image is fitted into a box with another aspect ratio."""

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
