"""What comes out: the formats, and how a result is encoded."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from contracts.message import Message


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
