"""The image operations a client may ask for, each with its limits."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from contracts.message import Message

MAX_SIDE = 16_384
MAX_OPERATIONS = 32

Pixels = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Offset = Annotated[int, Field(ge=0, le=1_000_000)]
Factor = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]


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


class Resize(Message):
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


class Crop(Message):
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


class Rotate(Message):
    """Turn clockwise; the canvas grows to hold the corners."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "rotate", "degrees": 90}]})

    op: Literal["rotate"] = "rotate"
    degrees: Annotated[
        float, Field(ge=-360, le=360, allow_inf_nan=False, description="Degrees, clockwise.")
    ]


class Flip(Message):
    """Mirror the image."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "flip", "axis": "horizontal"}]}
    )

    op: Literal["flip"] = "flip"
    axis: Annotated[
        Axis, Field(description="horizontal swaps left and right, vertical top and bottom.")
    ] = Axis.HORIZONTAL


class Grayscale(Message):
    """Make it black and white (ITU-R BT.601 luma)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "grayscale"}]})

    op: Literal["grayscale"] = "grayscale"


class Blur(Message):
    """Blur with a Gaussian."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "blur", "radius": 4}]})

    op: Literal["blur"] = "blur"
    radius: Annotated[
        float,
        Field(gt=0, le=100, allow_inf_nan=False, description="Standard deviation in pixels."),
    ]


class Sharpen(Message):
    """Sharpen with an unsharp mask of two pixels."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"op": "sharpen", "amount": 1.5}]})

    op: Literal["sharpen"] = "sharpen"
    amount: Annotated[Factor, Field(description="Strength: 0 changes nothing, 1 is usual.")] = 1.0


class Adjust(Message):
    """Change brightness, contrast and saturation; 1 changes nothing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"op": "adjust", "brightness": 1.1, "contrast": 1.2}]}
    )

    op: Literal["adjust"] = "adjust"
    brightness: Annotated[Factor, Field(description="0 is black.")] = 1.0
    contrast: Annotated[Factor, Field(description="0 is plain gray.")] = 1.0
    saturation: Annotated[Factor, Field(description="0 is without colour.")] = 1.0


Operation = Annotated[
    Resize | Crop | Rotate | Flip | Grayscale | Blur | Sharpen | Adjust,
    Field(discriminator="op"),
]


class Format(StrEnum):
    """An image format that is written."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"


class Output(Message):
    """How the result is encoded."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"format": "webp", "quality": 80}]})

    format: Annotated[
        Format | None,
        Field(description="Left out: as the source came, or png where that is not written."),
    ] = None
    quality: Annotated[
        int, Field(ge=1, le=100, description="For lossy formats; png has no use for it.")
    ] = 80


class Pipeline(Message):
    """Operations in order, and an output."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "operations": [
                        {"op": "resize", "width": 720, "height": 588, "fit": "cover"},
                        {"op": "grayscale"},
                    ],
                    "output": {"format": "webp", "quality": 80},
                }
            ]
        }
    )

    operations: Annotated[
        tuple[Operation, ...],
        Field(max_length=MAX_OPERATIONS, description="What is done, first to last."),
    ] = ()
    output: Annotated[Output, Field(description="How the result is encoded.")] = Output()
