"""Operations on an image's shape: its size, what of it is seen, which way up it is.

There is none for EXIF orientation: an image is upright before the first operation.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from contracts.fields import MAX_SIDE, Colour, Offset, Pixels
from contracts.message import Message


class Shape(Message):
    """An operation on an image's shape."""


class Fit(StrEnum):
    """How an image meets a box of another shape."""

    COVER = "cover"
    CONTAIN = "contain"
    FILL = "fill"
    INSIDE = "inside"
    OUTSIDE = "outside"


class Gravity(StrEnum):
    """Which part of a picture is kept when not all of it is, or where in a box it lies."""

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
    """How new pixels are made of old ones, from the coarsest to the finest."""

    NEAREST = "nearest"
    BOX = "box"
    BILINEAR = "bilinear"
    HAMMING = "hamming"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"


class Axis(StrEnum):
    """The direction in which a flip mirrors."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"


_Focus = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Edge = Annotated[int, Field(ge=0, le=MAX_SIDE)]


class Resize(Shape):
    """Change the size to a box of `width` x `height`; one side alone takes the other along."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"op": "resize", "width": 720, "height": 588, "fit": "cover"},
                {"op": "resize", "width": 400, "height": 400, "gravity": "smart", "dpr": 2},
                {"op": "resize", "width": 400, "height": 400, "focus_x": 0.3, "focus_y": 0.6},
            ]
        }
    )

    op: Literal["resize"] = "resize"
    width: Annotated[Pixels | None, Field(description="Pixels across.")] = None
    height: Annotated[Pixels | None, Field(description="Pixels down.")] = None
    fit: Annotated[
        Fit,
        Field(
            description="With both sides given. cover: fill the box and cut off what is over. "
            "contain: fit in and fill up the rest of the box. fill: stretch. "
            "inside: the largest that fits in the box. outside: the smallest that covers it."
        ),
    ] = Fit.COVER
    enlarge: Annotated[
        bool, Field(description="Whether an image smaller than the box is made larger.")
    ] = False
    gravity: Annotated[
        Gravity,
        Field(
            description="What cover keeps, and where contain puts the picture. smart keeps what "
            "draws the eye; to contain it is the center."
        ),
    ] = Gravity.CENTER
    focus_x: Annotated[
        _Focus | None,
        Field(
            description="A point that comes as near to the middle as may be, from 0 at the left "
            "edge to 1 at the right; it goes before gravity."
        ),
    ] = None
    focus_y: Annotated[
        _Focus | None, Field(description="The same, from 0 at the top to 1 at the bottom.")
    ] = None
    dpr: Annotated[
        float,
        Field(
            ge=1,
            le=5,
            allow_inf_nan=False,
            description="Device pixels to a pixel of width and height.",
        ),
    ] = 1.0
    filter: Annotated[Filter, Field(description="How new pixels are made of old ones.")] = (
        Filter.LANCZOS
    )
    background: Annotated[
        Colour | None,
        Field(
            description="What contain fills up with. Left out: nothing where the image has "
            "transparency, else white."
        ),
    ] = None

    @model_validator(mode="after")
    def _names_a_side(self) -> Self:
        if self.width is None and self.height is None:
            raise ValueError("give a width, a height or both")
        return self


class Crop(Shape):
    """Cut a rectangle out: at `left` and `top`, where it has to lie within the image, or else
    by gravity, where it is as large as the image allows.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"op": "crop", "left": 10, "top": 20, "width": 300, "height": 200},
                {"op": "crop", "width": 300, "height": 200, "gravity": "smart"},
            ]
        }
    )

    op: Literal["crop"] = "crop"
    left: Annotated[Offset | None, Field(description="Pixels from the left edge.")] = None
    top: Annotated[Offset | None, Field(description="Pixels from the top edge.")] = None
    width: Annotated[Pixels, Field(description="Pixels across.")]
    height: Annotated[Pixels, Field(description="Pixels down.")]
    gravity: Annotated[
        Gravity, Field(description="What is kept; smart keeps what draws the eye.")
    ] = Gravity.CENTER
    focus_x: Annotated[
        _Focus | None,
        Field(
            description="A point that comes as near to the middle as may be, from 0 at the left "
            "edge to 1 at the right; it goes before gravity."
        ),
    ] = None
    focus_y: Annotated[
        _Focus | None, Field(description="The same, from 0 at the top to 1 at the bottom.")
    ] = None

    @model_validator(mode="after")
    def _is_at_a_point_or_by_gravity(self) -> Self:
        if (self.left is None) is not (self.top is None):
            raise ValueError("give left and top, or neither")
        aimed = self.gravity is not Gravity.CENTER or (self.focus_x, self.focus_y) != (None, None)
        if self.left is not None and aimed:
            raise ValueError("give left and top, or a gravity or focus")
        return self


class Extract(Shape):
    """Cut out the rectangle at `left` and `top`; it has to lie within the image."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"op": "extract", "left": 10, "top": 20, "width": 300, "height": 200}]
        }
    )

    op: Literal["extract"] = "extract"
    left: Annotated[Offset, Field(description="Pixels from the left edge.")]
    top: Annotated[Offset, Field(description="Pixels from the top edge.")]
    # A source may have longer sides than a result.
    width: Annotated[int, Field(ge=1, le=1_000_000, description="Pixels across.")]
    height: Annotated[int, Field(ge=1, le=1_000_000, description="Pixels down.")]


class Trim(Shape):
    """Cut off the edges that are all background; an image that is nothing else stays whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "trim", "tolerance": 20}]})

    op: Literal["trim"] = "trim"
    tolerance: Annotated[
        int,
        Field(ge=0, le=255, description="How far each channel of a background pixel may be off."),
    ] = 10
    colour: Annotated[
        Colour | None, Field(description="The background. Left out: the top left pixel.")
    ] = None


class Pad(Shape):
    """Put space around the picture: up to a canvas of `width` x `height`, the picture in its
    middle, or as much at each edge as is said.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"op": "pad", "width": 1920, "height": 1080, "blurred": True},
                {"op": "pad", "top": 20, "bottom": 60, "background": "#336699"},
            ]
        }
    )

    op: Literal["pad"] = "pad"
    width: Annotated[
        Pixels | None, Field(description="Pixels across; a picture that is wider stays so.")
    ] = None
    height: Annotated[
        Pixels | None, Field(description="Pixels down; a picture that is higher stays so.")
    ] = None
    top: Annotated[_Edge, Field(description="Pixels above it.")] = 0
    right: Annotated[_Edge, Field(description="Pixels to the right of it.")] = 0
    bottom: Annotated[_Edge, Field(description="Pixels below it.")] = 0
    left: Annotated[_Edge, Field(description="Pixels to the left of it.")] = 0
    background: Annotated[
        Colour | None,
        Field(
            description="What the space is filled with. Left out: nothing where the image has "
            "transparency, else white."
        ),
    ] = None
    blurred: Annotated[
        bool, Field(description="Fill it with the picture itself, enlarged and blurred.")
    ] = False

    @model_validator(mode="after")
    def _says_how_much_and_of_what(self) -> Self:
        has_box = self.width is not None or self.height is not None
        has_edges = any((self.top, self.right, self.bottom, self.left))
        if has_box == has_edges:
            raise ValueError("give a width, a height or both, or else pixels at the edges")
        if self.blurred and self.background is not None:
            raise ValueError("give a background or blurred")
        return self


class Rotate(Shape):
    """Turn clockwise; the canvas grows to hold the corners."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"op": "rotate", "degrees": 90},
                {"op": "rotate", "degrees": -2.5, "background": "black"},
            ]
        }
    )

    op: Literal["rotate"] = "rotate"
    degrees: Annotated[
        float, Field(ge=-360, le=360, allow_inf_nan=False, description="Degrees, clockwise.")
    ]
    background: Annotated[
        Colour | None,
        Field(
            description="What the new corners are filled with. Left out: nothing where the image "
            "has transparency, else white."
        ),
    ] = None


class Flip(Shape):
    """Mirror the image."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "flip", "axis": "horizontal"}]}
    )

    op: Literal["flip"] = "flip"
    axis: Annotated[
        Axis, Field(description="horizontal swaps left and right, vertical top and bottom.")
    ] = Axis.HORIZONTAL


class Flop(Shape):
    """Mirror the image left and right: a horizontal flip, by the name that others have for it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "flop"}]})

    op: Literal["flop"] = "flop"


ShapeOperation = Resize | Crop | Extract | Trim | Pad | Rotate | Flip | Flop
