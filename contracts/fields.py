"""Fields that several operations have: what a number may be."""

from typing import Annotated

from pydantic import AfterValidator, Field

from contracts.colours import opaque_colour, plain_colour

MAX_SIDE = 16_384

Pixels = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Offset = Annotated[int, Field(ge=0, le=1_000_000)]
Factor = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Percent = Annotated[str, Field(pattern=r"^(100|\d{1,2}(\.\d{1,3})?)%$")]

BlobKey = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, in hex, of what the blob stands for."),
]

# "#" starts the fragment of a URL, and so it may be left out.
Colour = Annotated[
    str,
    Field(
        max_length=40,
        examples=["#ff8800", "ff8800", "#ff880080", "#f80", "darkorange"],
        description="#rgb, #rrggbb, #rrggbbaa (the # may be left out) or a CSS name.",
    ),
    AfterValidator(plain_colour),
]
OpaqueColour = Annotated[Colour, AfterValidator(opaque_colour)]
