"""The methods of the imaging service: render an image, and inspect one."""

import hashlib
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from contracts import examples
from contracts.details import Details
from contracts.fields import BlobKey, Expected
from contracts.formats import Format, format_of_media_type
from contracts.message import Message
from contracts.methods import Method
from contracts.operations.pipeline import Pipeline

MediaType = Annotated[
    str,
    Field(
        max_length=100,
        pattern=r"^[\w.+-]+/[\w.+-]+$",
        description="Media type, as in Content-Type.",
    ),
    Expected("should be a media type such as image/png, 100 characters at most"),
]
Milliseconds = Annotated[float, Field(ge=0)]

RENDER_VERSION = 8
"""Part of every result's key. Raise it when the same pipeline begins to give different bytes."""


class Blob(Message):
    """Reference to stored bytes. Messages carry it in place of the bytes (a claim check)."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.BLOB]})

    key: BlobKey
    media_type: MediaType
    bytes: Annotated[int, Field(ge=0, description="Size in bytes.")]

    @property
    def format(self) -> Format | None:
        """The format, by the media type; None for bytes of no known format."""
        return format_of_media_type(self.media_type)


class Render(Message):
    """Apply `pipeline` to the image in `source`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"source": examples.BLOB, "pipeline": examples.PIPELINE, "reuse": True}]
        }
    )

    source: Annotated[Blob, Field(description="The image.")]
    pipeline: Annotated[Pipeline, Field(description="Operations and output.")] = Pipeline()
    reuse: Annotated[
        bool, Field(description="Whether a stored result may be returned in place of a new one.")
    ] = True

    def formats(self) -> frozenset[Format]:
        """Return the formats that a worker needs: the source's and the output's, where known."""
        named = (self.source.format, self.pipeline.output.format)
        return frozenset(format for format in named if isinstance(format, Format))

    @property
    def images(self) -> tuple[BlobKey, ...]:
        """Keys of the images that the result is made from: the source and the watermarks."""
        return tuple(dict.fromkeys((self.source.key, *self.pipeline.images)))

    def result_key(self) -> str:
        """Return the key of the result's blob. Equal sources and pipelines give equal keys."""
        return result_key(self.source.key, self.pipeline.model_dump_json())


def result_key(source: str, pipeline: str) -> str:
    """Return the key of a result's blob, from its source's key and its pipeline as JSON."""
    return hashlib.sha256(f"{RENDER_VERSION}:{source}:{pipeline}".encode()).hexdigest()


class Rendered(Message):
    """The result of a render, and the time it took."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "blob": {**examples.BLOB, "media_type": "image/webp", "bytes": 48213},
                    "width": 720,
                    "height": 588,
                    "reused": False,
                    "decode_ms": 8.5,
                    "operations_ms": 3.1,
                    "encode_ms": 12.8,
                }
            ]
        }
    )

    blob: Annotated[Blob, Field(description="The result.")]
    width: Annotated[int, Field(ge=1, description="Width in pixels.")]
    height: Annotated[int, Field(ge=1, description="Height in pixels.")]
    reused: Annotated[bool, Field(description="Whether the result was stored already.")] = False
    decode_ms: Annotated[Milliseconds, Field(description="Milliseconds of decoding.")] = 0
    operations_ms: Annotated[Milliseconds, Field(description="Milliseconds of operations.")] = 0
    encode_ms: Annotated[Milliseconds, Field(description="Milliseconds of encoding.")] = 0


class Depth(StrEnum):
    """Extent of an inspection: the header alone, which is quick, or the pixels as well."""

    HEADER = "header"
    PIXELS = "pixels"


class Inspect(Message):
    """Describe the image in `source`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": examples.BLOB}]})

    source: Annotated[Blob, Field(description="The image.")]
    depth: Annotated[Depth, Field(description="How much of the image to inspect.")] = Depth.HEADER
    place: Annotated[bool, Field(description="Include the place of the photograph.")] = False

    def formats(self) -> frozenset[Format]:
        """Return the formats that a worker needs: the image's, if it is known."""
        return frozenset(format for format in (self.source.format,) if format)


class Inspected(Message):
    """Description of an image."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "format": "jpeg",
                    "media_type": "image/jpeg",
                    "mode": "RGB",
                    "width": 2225,
                    "height": 2725,
                    "frames": 1,
                    "orientation": 6,
                }
            ]
        }
    )

    format: Annotated[str, Field(max_length=20, description="Format, by the image's bytes.")]
    media_type: MediaType
    mode: Annotated[str, Field(max_length=10, description="Pillow's mode: RGB, L, CMYK, ...")]
    width: Annotated[
        int, Field(ge=1, description="Width in pixels, once the image is turned upright.")
    ]
    height: Annotated[
        int, Field(ge=1, description="Height in pixels, once the image is turned upright.")
    ]
    frames: Annotated[
        int, Field(ge=1, description="Frames of an animation, or pages of a TIFF; else 1.")
    ] = 1
    orientation: Annotated[
        int, Field(ge=1, le=8, description="EXIF orientation; 1 is upright.")
    ] = 1
    details: Annotated[
        Details | None, Field(description="Null unless the pixels were inspected.")
    ] = None


RENDER = Method("imaging.render", Render, Rendered)
INSPECT = Method("imaging.inspect", Inspect, Inspected)
METHODS = (RENDER, INSPECT)
