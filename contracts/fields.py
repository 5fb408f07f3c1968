"""Types of fields that several messages have: numbers with limits, colours, ids of blobs."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler
from pydantic.config import JsonDict
from pydantic_core import CoreSchema

from contracts.colours import normalize_colour, require_opaque

MAX_SIDE = 16_384
"""Pixels of a result's longest side."""

PX: JsonDict = {"x-unit": "px"}
DEGREES: JsonDict = {"x-unit": "°"}
PERCENT: JsonDict = {"x-unit": "%"}
"""Units, for the JSON schemas of numbers."""


@dataclass(frozen=True)
class Expected:
    """Annotation of a union, or of a text with a pattern: every error of it says `message`.

    Without it, a union has an error for each of its types, and a pattern is shown as it is.
    """

    message: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema: Any = handler(source)
        error = {"custom_error_type": "expected", "custom_error_message": self.message}
        # A union of tagged models says so of the tag alone, and the models keep their own errors.
        if schema["type"] in ("union", "tagged-union"):
            return {**schema, **error}
        return {"type": "custom-error", "schema": schema, **error}


Pixels = Annotated[int, Field(ge=1, le=MAX_SIDE, json_schema_extra=PX)]
Offset = Annotated[int, Field(ge=0, le=1_000_000, json_schema_extra=PX)]
Angle = Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False, json_schema_extra=DEGREES)]
Factor = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Percent = Annotated[str, Field(pattern=r"^(100|\d{1,2}(\.\d{1,3})?)%$")]

BlobKey = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{64}$",
        description="Digest in hex: of an image, or of the request for a result. In the project "
        "`default`, the key of an image is the SHA-256 of its bytes.",
    ),
    Expected("should be 64 digits and lower-case letters a to f"),
]


# "#" starts the fragment of a URL, so clients may leave it out.
Colour = Annotated[
    str,
    Field(
        max_length=40,
        examples=["#ff8800", "ff8800", "#ff880080", "#f80", "darkorange"],
        description="#rgb, #rgba, #rrggbb or #rrggbbaa (the # may be left out), or a CSS name.",
        json_schema_extra={"format": "color"},
    ),
    AfterValidator(normalize_colour),
]
OpaqueColour = Annotated[
    Colour,
    AfterValidator(require_opaque),
    Field(
        examples=["#ff8800", "ff8800", "#f80", "darkorange"],
        description="#rgb or #rrggbb (the # may be left out), or a CSS name.",
        json_schema_extra={"x-opaque": True},
    ),
]
