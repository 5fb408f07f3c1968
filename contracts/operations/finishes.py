"""Operations that finish an image: its corners, its border, and the colour behind it."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from contracts.fields import MAX_SIDE, PX, Colour, Expected, Fraction, OpaqueColour, Percent
from contracts.operations.base import BaseOperation, Demonstration


class Finish(BaseOperation):
    """An operation on an image's edges, or on the space around or behind it."""

    family: ClassVar[str] = "finishes"


class Vignette(Finish):
    """Fade the image into a colour towards its corners."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "vignette", "amount": 0.6, "softness": 0.8}]}
    )
    demonstration: ClassVar[Demonstration] = Demonstration(("vignette:amount=0.9,colour=white",))

    op: Literal["vignette"] = "vignette"
    amount: Annotated[Fraction, Field(description="Share of the colour in the corners.")] = 0.5
    softness: Annotated[
        Fraction,
        Field(
            description="Start of the fade: 1 in the middle of the image, 0 as a hard edge at "
            "the corners."
        ),
    ] = 0.75
    colour: Annotated[OpaqueColour, Field(description="The colour to fade into.")] = "#000000"


class Round(Finish):
    """Round the corners. The area outside of them becomes transparent."""

    model_config = ConfigDict(
        title="Round corners",
        json_schema_extra={
            "examples": [
                {"op": "round", "radius": 24},
                {"op": "round", "radius": "10%"},
                {"op": "round", "radius": "circle"},
            ]
        },
    )
    demonstration: ClassVar[Demonstration] = Demonstration(("round:30",))

    op: Literal["round"] = "round"
    radius: Annotated[
        Annotated[float, Field(ge=0, le=MAX_SIDE, allow_inf_nan=False, json_schema_extra=PX)]
        | Percent
        | Literal["circle"],
        Expected(f"Input should be 0 to {MAX_SIDE}, a percentage such as 10%, or circle"),
        Field(
            description="Radius of a corner: in pixels, or in percent of the shorter side, but at "
            "most half of that side. circle: keep the largest circle in the middle of the image."
        ),
    ]


class Border(Finish):
    """Add a border. The image grows by its width on each side."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "border", "width": 20, "colour": "white"}]}
    )
    demonstration: ClassVar[Demonstration] = Demonstration(("border:width=12,colour=peru",))

    op: Literal["border"] = "border"
    width: Annotated[
        int,
        Field(ge=1, le=MAX_SIDE // 2, description="Pixels on each side.", json_schema_extra=PX),
    ]
    colour: Annotated[Colour, Field(description="Colour of the border.")] = "#ffffff"


class Background(Finish):
    """Put a colour behind the image, which is opaque afterwards."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "background", "colour": "white"}]}
    )
    demonstration: ClassVar[Demonstration] = Demonstration(("round:circle", "background:gold"))

    op: Literal["background"] = "background"
    colour: Annotated[OpaqueColour, Field(description="The colour.")] = "#ffffff"


FinishOperation = Vignette | Round | Border | Background
