"""Operations on an image's look: its colours, tones and sharpness, at the size that it has."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from contracts.fields import Amount, Factor, OpaqueColour, Pixels
from contracts.message import Message


class Look(Message):
    """An operation on an image's look."""


class Grayscale(Look):
    """Make it black and white (ITU-R BT.601 luma)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "grayscale"}]})

    op: Literal["grayscale"] = "grayscale"


class Sepia(Look):
    """Make it brown, as old prints are (the matrix of CSS's sepia())."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "sepia", "amount": 0.8}]})

    op: Literal["sepia"] = "sepia"
    amount: Annotated[Amount, Field(description="0 changes nothing, 1 leaves no other hue.")] = 1.0


class Duotone(Look):
    """Print it in two colours: luma goes from the one to the other."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"op": "duotone", "shadows": "#1a1446", "highlights": "#ffd8a0"}]
        }
    )

    op: Literal["duotone"] = "duotone"
    shadows: Annotated[OpaqueColour, Field(description="What black becomes.")]
    highlights: Annotated[OpaqueColour, Field(description="What white becomes.")] = "#ffffff"


class Tint(Look):
    """Print it in one colour; black, white and every luma between them stay."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "tint", "colour": "#7a5230", "amount": 0.5}]}
    )

    op: Literal["tint"] = "tint"
    colour: Annotated[OpaqueColour, Field(description="What a gray of its luma becomes.")]
    amount: Annotated[Amount, Field(description="0 changes nothing, 1 leaves no other hue.")] = 1.0


class Negate(Look):
    """Make it a negative."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "negate"}]})

    op: Literal["negate"] = "negate"


class Adjust(Look):
    """Change brightness, contrast, gamma, saturation and hue, in this order."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "adjust", "brightness": 1.1, "contrast": 1.2}]}
    )

    op: Literal["adjust"] = "adjust"
    brightness: Annotated[Factor, Field(description="0 is black, 1 changes nothing.")] = 1.0
    contrast: Annotated[Factor, Field(description="0 is plain gray, 1 changes nothing.")] = 1.0
    saturation: Annotated[Factor, Field(description="0 is without colour, 1 changes nothing.")] = (
        1.0
    )
    hue: Annotated[
        float,
        Field(
            ge=-360,
            le=360,
            allow_inf_nan=False,
            description="Degrees by which hues turn, as CSS's hue-rotate() does it.",
        ),
    ] = 0.0
    gamma: Annotated[
        float,
        Field(
            ge=0.1,
            le=10,
            allow_inf_nan=False,
            description="Above 1 the middle tones get lighter, below darker; the ends stay.",
        ),
    ] = 1.0


class Autocontrast(Look):
    """Stretch the tones from black to white, by the luma of what can be seen; hues stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "autocontrast", "cutoff": 1}]})

    op: Literal["autocontrast"] = "autocontrast"
    cutoff: Annotated[
        float,
        Field(
            ge=0,
            lt=50,
            allow_inf_nan=False,
            description="Percent of the pixels at either end that may become plain black or white.",
        ),
    ] = 0.0


class Equalize(Look):
    """Spread the tones so that each is as frequent, by the luma of what can be seen."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "equalize"}]})

    op: Literal["equalize"] = "equalize"


class Posterize(Look):
    """Leave a few levels of each channel."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "posterize", "levels": 4}]})

    op: Literal["posterize"] = "posterize"
    levels: Annotated[int, Field(ge=2, le=256, description="How many; 256 changes nothing.")]


class Blur(Look):
    """Blur with a Gaussian."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "blur", "radius": 4}]})

    op: Literal["blur"] = "blur"
    radius: Annotated[
        float,
        Field(gt=0, le=100, allow_inf_nan=False, description="Standard deviation in pixels."),
    ]


class Sharpen(Look):
    """Sharpen with an unsharp mask."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "sharpen", "amount": 1.5}]})

    op: Literal["sharpen"] = "sharpen"
    amount: Annotated[Factor, Field(description="Strength: 0 changes nothing, 1 is usual.")] = 1.0
    radius: Annotated[
        float,
        Field(
            gt=0, le=100, allow_inf_nan=False, description="The mask's standard deviation, pixels."
        ),
    ] = 2.0
    threshold: Annotated[
        int,
        Field(
            ge=0,
            le=255,
            description="What differs from its surroundings by no more levels of luma stays as "
            "it is: grain, skies.",
        ),
    ] = 0


class Pixelate(Look):
    """Make it of squares, each in the mean of its colours."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "pixelate", "size": 12}]})

    op: Literal["pixelate"] = "pixelate"
    size: Annotated[Pixels, Field(description="A square's side in pixels.")]


LookOperation = (
    Grayscale
    | Sepia
    | Duotone
    | Tint
    | Negate
    | Adjust
    | Autocontrast
    | Equalize
    | Posterize
    | Blur
    | Sharpen
    | Pixelate
)
