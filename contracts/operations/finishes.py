"""Operations that finish an image: what lies at its edges, around it and behind it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from contracts.fields import MAX_SIDE, Amount, Colour, OpaqueColour, Percent
from contracts.message import Message


class Finish(Message):
    """An operation on what is at an image's edges, around it or behind it."""


class Vignette(Finish):
    """Fade the picture into a colour, from its middle to its corners."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "vignette", "amount": 0.6, "softness": 0.8}]}
    )

    op: Literal["vignette"] = "vignette"
    amount: Annotated[
        Amount, Field(description="How much of the colour there is in the corners.")
    ] = 0.5
    softness: Annotated[
        Amount,
        Field(description="Where it begins: 1 in the middle, 0 as an edge just at the corners."),
    ] = 0.75
    colour: Annotated[OpaqueColour, Field(description="The colour.")] = "#000000"


class Round(Finish):
    """Round the corners off; what is cut off becomes transparent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"op": "round", "radius": 24},
                {"op": "round", "radius": "10%"},
                {"op": "round", "radius": "circle"},
            ]
        }
    )

    op: Literal["round"] = "round"
    radius: Annotated[
        Annotated[float, Field(ge=0, le=MAX_SIDE, allow_inf_nan=False)]
        | Percent
        | Literal["circle"],
        Field(
            description="Of a corner: in pixels, or in percent of the shorter side, up to half of "
            "it. circle: the largest one in the middle is all that is left."
        ),
    ]


class Border(Finish):
    """Put a border around it; the image grows by twice its width."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "border", "width": 20, "colour": "white"}]}
    )

    op: Literal["border"] = "border"
    width: Annotated[int, Field(ge=1, le=MAX_SIDE // 2, description="Pixels on each side.")]
    colour: Annotated[Colour, Field(description="Its colour.")] = "#ffffff"


class Background(Finish):
    """Put a colour behind what is transparent; nothing is transparent afterwards."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "background", "colour": "white"}]}
    )

    op: Literal["background"] = "background"
    colour: Annotated[OpaqueColour, Field(description="The colour.")] = "#ffffff"


FinishOperation = Vignette | Round | Border | Background
