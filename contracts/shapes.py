"""Operations on an image's shape: its size, what of it is seen, which way up it is."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from contracts.fields import Offset, Pixels
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


class Axis(StrEnum):
    """The direction in which a flip mirrors."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"


class Resize(Shape):
    """Change the size to a box of `width` x `height`; one side alone takes the other along."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"op": "resize", "width": 720, "height": 588, "fit": "cover"}]
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

    @model_validator(mode="after")
    def _names_a_side(self) -> Self:
        if self.width is None and self.height is None:
            raise ValueError("give a width, a height or both")
        return self


class Crop(Shape):
    """Cut a rectangle out; it has to lie within the image."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"op": "crop", "left": 10, "top": 20, "width": 300, "height": 200}]
        }
    )

    op: Literal["crop"] = "crop"
    left: Annotated[Offset, Field(description="Pixels from the left edge.")]
    top: Annotated[Offset, Field(description="Pixels from the top edge.")]
    width: Annotated[Pixels, Field(description="Pixels across.")]
    height: Annotated[Pixels, Field(description="Pixels down.")]


class Rotate(Shape):
    """Turn clockwise; the canvas grows to hold the corners."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "rotate", "degrees": 90}]})

    op: Literal["rotate"] = "rotate"
    degrees: Annotated[
        float, Field(ge=-360, le=360, allow_inf_nan=False, description="Degrees, clockwise.")
    ]


class Flip(Shape):
    """Mirror the image."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "flip", "axis": "horizontal"}]}
    )

    op: Literal["flip"] = "flip"
    axis: Annotated[
        Axis, Field(description="horizontal swaps left and right, vertical top and bottom.")
    ] = Axis.HORIZONTAL


ShapeOperation = Resize | Crop | Rotate | Flip
