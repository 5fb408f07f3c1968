"""Operations on an image's look: its colours, tones and sharpness, at the size that it has."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from contracts.fields import Factor
from contracts.message import Message


class Look(Message):
    """An operation on an image's look."""


class Grayscale(Look):
    """Make it black and white (ITU-R BT.601 luma)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "grayscale"}]})

    op: Literal["grayscale"] = "grayscale"


class Blur(Look):
    """Blur with a Gaussian."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "blur", "radius": 4}]})

    op: Literal["blur"] = "blur"
    radius: Annotated[
        float,
        Field(gt=0, le=100, allow_inf_nan=False, description="Standard deviation in pixels."),
    ]


class Sharpen(Look):
    """Sharpen with an unsharp mask of two pixels."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "sharpen", "amount": 1.5}]})

    op: Literal["sharpen"] = "sharpen"
    amount: Annotated[Factor, Field(description="Strength: 0 changes nothing, 1 is usual.")] = 1.0


class Adjust(Look):
    """Change brightness, contrast and saturation; 1 changes nothing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "adjust", "brightness": 1.1, "contrast": 1.2}]}
    )

    op: Literal["adjust"] = "adjust"
    brightness: Annotated[Factor, Field(description="0 is black.")] = 1.0
    contrast: Annotated[Factor, Field(description="0 is plain gray.")] = 1.0
    saturation: Annotated[Factor, Field(description="0 is without colour.")] = 1.0


LookOperation = Grayscale | Blur | Sharpen | Adjust
