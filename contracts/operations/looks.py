"""Operations that change an image's look: colours, tones, sharpness. They keep its size."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from contracts.fields import DEGREES, PERCENT, PX, Factor, Fraction, OpaqueColour, Pixels
from contracts.operations.base import BaseOperation, Demonstration, Sample


class Look(BaseOperation):
    """An operation on an image's look."""

    family: ClassVar[str] = "looks"


class Grayscale(Look):
    """Convert to black and white (ITU-R BT.601 luma)."""

    model_config = ConfigDict(
        title="Black and white", json_schema_extra={"examples": [{"op": "grayscale"}]}
    )
    demonstration: ClassVar[Demonstration] = Demonstration(("grayscale",))

    op: Literal["grayscale"] = "grayscale"


class Sepia(Look):
    """Tone the image brown, as old prints are (the matrix of CSS's sepia())."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "sepia", "amount": 0.8}]})
    demonstration: ClassVar[Demonstration] = Demonstration(("sepia",))

    op: Literal["sepia"] = "sepia"
    amount: Annotated[Fraction, Field(description="0 changes nothing, 1 replaces all colours.")] = (
        1.0
    )


class Duotone(Look):
    """Map luma to a gradient between two colours."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"op": "duotone", "shadows": "#1a1446", "highlights": "#ffd8a0"}]
        }
    )
    demonstration: ClassVar[Demonstration] = Demonstration(
        ("duotone:shadows=1a1446,highlights=ffd8a0",)
    )

    op: Literal["duotone"] = "duotone"
    shadows: Annotated[OpaqueColour, Field(description="The colour that replaces black.")]
    highlights: Annotated[OpaqueColour, Field(description="The colour that replaces white.")] = (
        "#ffffff"
    )


class Tint(Look):
    """Tone the image in one colour. Luma does not change, so black stays black and white white."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "tint", "colour": "#7a5230", "amount": 0.5}]}
    )
    demonstration: ClassVar[Demonstration] = Demonstration(("tint:colour=teal,amount=0.8",))

    op: Literal["tint"] = "tint"
    colour: Annotated[
        OpaqueColour, Field(description="The colour that replaces gray of the same luma.")
    ]
    amount: Annotated[Fraction, Field(description="0 changes nothing, 1 replaces all colours.")] = (
        1.0
    )


class Negate(Look):
    """Invert all colours, as in a negative."""

    model_config = ConfigDict(title="Negative", json_schema_extra={"examples": [{"op": "negate"}]})
    demonstration: ClassVar[Demonstration] = Demonstration(("negate",))

    op: Literal["negate"] = "negate"


class Adjust(Look):
    """Change brightness, contrast, gamma, saturation and hue, in this order."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "adjust", "brightness": 1.1, "contrast": 1.2}]}
    )
    demonstration: ClassVar[Demonstration] = Demonstration(
        ("adjust:brightness=1.4,contrast=1.2,hue=-30",)
    )

    op: Literal["adjust"] = "adjust"
    brightness: Annotated[Factor, Field(description="0 gives black, 1 changes nothing.")] = 1.0
    contrast: Annotated[Factor, Field(description="0 gives plain gray, 1 changes nothing.")] = 1.0
    saturation: Annotated[Factor, Field(description="0 removes all colour, 1 changes nothing.")] = (
        1.0
    )
    hue: Annotated[
        float,
        Field(
            ge=-360,
            le=360,
            allow_inf_nan=False,
            description="Degrees to rotate hues by, as in CSS's hue-rotate().",
            json_schema_extra=DEGREES,
        ),
    ] = 0.0
    gamma: Annotated[
        float,
        Field(
            ge=0.1,
            le=10,
            allow_inf_nan=False,
            description="Above 1 middle tones become lighter, below 1 darker. Black and white "
            "do not change.",
        ),
    ] = 1.0


class Autocontrast(Look):
    """Stretch the tones to the range from black to white, by the luma of visible pixels.
    Hues do not change.
    """

    model_config = ConfigDict(
        title="Auto contrast", json_schema_extra={"examples": [{"op": "autocontrast", "cutoff": 1}]}
    )
    demonstration: ClassVar[Demonstration] = Demonstration(("autocontrast:cutoff=1",), Sample.HAZE)

    op: Literal["autocontrast"] = "autocontrast"
    cutoff: Annotated[
        float,
        Field(
            ge=0,
            lt=50,
            allow_inf_nan=False,
            description="Percentage of the darkest and of the lightest pixels that may become "
            "plain black or white.",
            json_schema_extra=PERCENT,
        ),
    ] = 0.0


class Equalize(Look):
    """Spread the tones so that each is about as frequent, by the luma of visible pixels."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "equalize"}]})
    demonstration: ClassVar[Demonstration] = Demonstration(("equalize",), Sample.HAZE)

    op: Literal["equalize"] = "equalize"


class Posterize(Look):
    """Reduce each channel to a few levels."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "posterize", "levels": 4}]})
    demonstration: ClassVar[Demonstration] = Demonstration(("posterize:4",))

    op: Literal["posterize"] = "posterize"
    levels: Annotated[
        int, Field(ge=2, le=256, description="Levels of each channel. 256 changes nothing.")
    ]


class Blur(Look):
    """Blur with a Gaussian."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "blur", "radius": 4}]})
    demonstration: ClassVar[Demonstration] = Demonstration(("blur:4",))

    op: Literal["blur"] = "blur"
    radius: Annotated[
        float,
        Field(
            gt=0,
            le=100,
            allow_inf_nan=False,
            description="Standard deviation in pixels.",
            json_schema_extra=PX,
        ),
    ]


class Sharpen(Look):
    """Sharpen with an unsharp mask."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "sharpen", "amount": 1.5}]})
    demonstration: ClassVar[Demonstration] = Demonstration(("sharpen:amount=2.5,radius=1",))

    op: Literal["sharpen"] = "sharpen"
    amount: Annotated[Factor, Field(description="Strength: 0 changes nothing, 1 is usual.")] = 1.0
    radius: Annotated[
        float,
        Field(
            gt=0,
            le=100,
            allow_inf_nan=False,
            description="Standard deviation of the mask in pixels.",
            json_schema_extra=PX,
        ),
    ] = 2.0
    threshold: Annotated[
        int,
        Field(
            ge=0,
            le=255,
            description="Pixels whose luma differs from their surroundings by this many levels or "
            "fewer do not change. Protects grain and skies.",
        ),
    ] = 0


class Pixelate(Look):
    """Replace the image by squares of their mean colour."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "pixelate", "size": 12}]})
    demonstration: ClassVar[Demonstration] = Demonstration(("pixelate:10",))

    op: Literal["pixelate"] = "pixelate"
    size: Annotated[Pixels, Field(description="Side of a square in pixels.")]


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
