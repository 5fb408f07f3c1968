"""Operations that lay something over an image: another image, a text."""

import unicodedata
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from contracts import examples
from contracts.fields import MAX_SIDE, Amount, BlobKey, OpaqueColour, Percent
from contracts.message import Message

MAX_TEXT = 500
MAX_FONT = 2_000

_Shift = Annotated[int, Field(ge=-MAX_SIDE, le=MAX_SIDE)]


class Overlay(Message):
    """An operation that lays something over an image."""


class Position(StrEnum):
    """Where on an image something lies."""

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


# Control characters, halves of surrogate pairs, Unicode's own line and paragraph separators.
_UNWRITTEN = ("Cc", "Cs", "Zl", "Zp")

_Placing = Annotated[
    Position, Field(description="Where it lies; tile repeats it over the whole image.")
]
_Across = Annotated[
    int,
    Field(
        ge=-MAX_SIDE,
        le=MAX_SIDE,
        description="Pixels from the left or right edge inwards; in the middle, to the right; of "
        "a tile, between one and the next.",
    ),
]
_Down = Annotated[
    int,
    Field(
        ge=-MAX_SIDE,
        le=MAX_SIDE,
        description="Pixels from the upper or lower edge inwards; in the middle, downwards; of a "
        "tile, between one and the next.",
    ),
]
_Opacity = Annotated[Amount, Field(description="0 is not there, 1 is as opaque as it is.")]


def _drawable(text: str) -> str:
    written = text.replace("\n", "")
    if any(unicodedata.category(letter) in _UNWRITTEN for letter in written):
        raise ValueError("a line feed is the only control character that may be in it")
    return text


class Watermark(Overlay):
    """Lay another image over this one."""

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

    op: Literal["watermark"] = "watermark"
    image: Annotated[BlobKey, Field(description="The id under which it was uploaded.")]
    scale: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            allow_inf_nan=False,
            description="Its width as a part of the image's, though never higher than the image. "
            "Left out: pixel for pixel.",
        ),
    ] = None
    position: _Placing = Position.BOTTOM_RIGHT
    x: _Across = 0
    y: _Down = 0
    opacity: _Opacity = 1.0

    @model_validator(mode="after")
    def _has_room_between_tiles(self) -> Self:
        _check_tiles(self.position, self.x, self.y)
        return self


class Text(Overlay):
    """Write on the image; what does not fit on it is cut off."""

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

    op: Literal["text"] = "text"
    text: Annotated[
        Annotated[str, Field(min_length=1, max_length=MAX_TEXT)],
        AfterValidator(_drawable),
        Field(description="What is written; a line feed starts a new line."),
    ]
    font: Annotated[
        str | None,
        Field(
            max_length=100,
            description="The name of a font that the service has. Left out: Aileron, which has "
            "the letters of ASCII and few more. A letter that a font lacks is an error.",
        ),
    ] = None
    size: Annotated[
        Annotated[float, Field(ge=1, le=MAX_FONT, allow_inf_nan=False)] | Percent,
        Field(description="Of the font: in pixels, or in percent of the image's width."),
    ] = "5%"
    colour: Annotated[OpaqueColour, Field(description="The colour of the letters.")] = "#ffffff"
    stroke: Annotated[
        int, Field(ge=0, le=100, description="Pixels of an outline around each letter.")
    ] = 0
    stroke_colour: Annotated[OpaqueColour, Field(description="The outline's colour.")] = "#000000"
    position: _Placing = Position.BOTTOM_RIGHT
    x: _Across = 0
    y: _Down = 0
    opacity: _Opacity = 1.0

    @model_validator(mode="after")
    def _has_room_between_tiles(self) -> Self:
        _check_tiles(self.position, self.x, self.y)
        return self


OverlayOperation = Watermark | Text


def _check_tiles(position: Position, x: int, y: int) -> None:
    if position is Position.TILE and min(x, y) < 0:
        raise ValueError("x and y can't be below 0 for a tile")
