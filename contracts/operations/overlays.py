"""Operations that draw on an image: another image, or text."""

import unicodedata
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from contracts import examples
from contracts.fields import MAX_SIDE, PX, BlobKey, Expected, Fraction, OpaqueColour, Percent
from contracts.operations.base import BaseOperation, Demonstration

MAX_TEXT = 500
MAX_FONT = 2_000

# Categories of Unicode that cannot be drawn: control characters, lone surrogates, line and
# paragraph separators.
_NOT_DRAWABLE = ("Cc", "Cs", "Zl", "Zp")


class Position(StrEnum):
    """Position of an overlay on an image."""

    TOP_LEFT = "top_left"
    TOP = "top"
    TOP_RIGHT = "top_right"
    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom_left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom_right"
    TILE = "tile"


_Position = Annotated[
    Position,
    Field(description="Position in the image. tile repeats the overlay over the whole image."),
]
_X = Annotated[
    int,
    Field(
        title="Horizontal offset",
        ge=-MAX_SIDE,
        le=MAX_SIDE,
        description="Pixels from the left or right edge inwards; in the middle, to the right; for "
        "tile, between neighbours.",
        json_schema_extra=PX,
    ),
]
_Y = Annotated[
    int,
    Field(
        title="Vertical offset",
        ge=-MAX_SIDE,
        le=MAX_SIDE,
        description="Pixels from the top or bottom edge inwards; in the middle, downwards; for "
        "tile, between neighbours.",
        json_schema_extra=PX,
    ),
]
_Opacity = Annotated[Fraction, Field(description="0 is invisible, 1 draws it as it is.")]


class Overlay(BaseOperation):
    """An operation that draws something on an image."""

    family: ClassVar[str] = "overlays"


class Watermark(Overlay):
    """Draw another image on the image.

    With the position `tile`, `x` and `y` can't be below 0.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "op": "watermark",
                    "image": examples.BLOB["key"],
                    "position": "bottom_right",
                    "x": 16,
                    "y": 16,
                    "scale": 0.2,
                    "opacity": 0.6,
                }
            ]
        }
    )
    demonstration: ClassVar[Demonstration] = Demonstration(
        ("watermark:image=LOGO,scale=0.25,x=8,y=8,opacity=0.8",)
    )

    op: Literal["watermark"] = "watermark"
    image: Annotated[
        BlobKey,
        Field(
            description="Id of the uploaded image to draw.",
            json_schema_extra={"format": "image-id"},
        ),
    ]
    scale: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            allow_inf_nan=False,
            description="Width of the watermark as a fraction of the image's width; its height is "
            "limited to the image's. Left out: the watermark keeps its size.",
        ),
    ] = None
    position: _Position = Position.BOTTOM_RIGHT
    x: _X = 0
    y: _Y = 0
    opacity: _Opacity = 1.0

    @model_validator(mode="after")
    def _tiles_do_not_overlap(self) -> Self:
        _check_tiles(self.position, self.x, self.y)
        return self


def _drawable(text: str) -> str:
    characters = text.replace("\n", "")
    if any(unicodedata.category(character) in _NOT_DRAWABLE for character in characters):
        raise ValueError("a line feed is the only control character that may be in it")
    return text


class Text(Overlay):
    """Draw text on the image. Text outside of the image is cut off.

    With the position `tile`, `x` and `y` can't be below 0.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "op": "text",
                    "text": "12 Rose Lane",
                    "size": "4%",
                    "colour": "white",
                    "stroke": 2,
                    "position": "bottom_left",
                    "x": 24,
                    "y": 24,
                }
            ]
        }
    )
    demonstration: ClassVar[Demonstration] = Demonstration(
        ("text:text=12 Rose Lane,size=24,stroke=2,position=bottom,y=10",)
    )

    op: Literal["text"] = "text"
    text: Annotated[
        Annotated[str, Field(min_length=1, max_length=MAX_TEXT)],
        AfterValidator(_drawable),
        Field(description="The text. A line feed starts a new line."),
    ]
    font: Annotated[
        str | None,
        Field(
            max_length=100,
            description="Name of a font that the service has. Left out: Aileron, which has the "
            "letters of ASCII and few more. A letter that is not in the font is an error.",
        ),
    ] = None
    size: Annotated[
        Annotated[float, Field(ge=1, le=MAX_FONT, allow_inf_nan=False, json_schema_extra=PX)]
        | Percent,
        Expected(f"Input should be 1 to {MAX_FONT}, or a percentage such as 5%"),
        Field(description="Size of the font: in pixels, or in percent of the image's width."),
    ] = "5%"
    colour: Annotated[OpaqueColour, Field(description="Colour of the letters.")] = "#ffffff"
    stroke: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            description="Width of the outline around each letter in pixels.",
            json_schema_extra=PX,
        ),
    ] = 0
    stroke_colour: Annotated[OpaqueColour, Field(description="Colour of the outline.")] = "#000000"
    position: _Position = Position.BOTTOM_RIGHT
    x: _X = 0
    y: _Y = 0
    opacity: _Opacity = 1.0

    @model_validator(mode="after")
    def _tiles_do_not_overlap(self) -> Self:
        _check_tiles(self.position, self.x, self.y)
        return self


OverlayOperation = Watermark | Text


def _check_tiles(position: Position, x: int, y: int) -> None:
    if position is Position.TILE and min(x, y) < 0:
        raise ValueError("x and y can't be below 0 for a tile")
