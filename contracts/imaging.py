"""What the imaging service answers: render an image, and say what an image is."""

import hashlib
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from contracts import examples
from contracts.details import Details
from contracts.fields import BlobKey
from contracts.message import Message
from contracts.methods import Method
from contracts.operations.pipeline import Pipeline

MediaType = Annotated[
    str, Field(max_length=100, pattern=r"^[\w.+-]+/[\w.+-]+$", description="As in Content-Type.")
]
Milliseconds = Annotated[float, Field(ge=0)]

# Part of every result's key: raise it when the same pipeline starts to give other bytes.
_RENDER_VERSION = 5


class Blob(Message):
    """A claim check: the bytes are in the store under `key`, and only this travels."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.BLOB]})

    key: BlobKey
    media_type: MediaType
    bytes: Annotated[int, Field(ge=0, description="How many bytes it holds.")]


class Render(Message):
    """Take the image in `source` through `pipeline`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"source": examples.BLOB, "pipeline": examples.PIPELINE, "reuse": True}]
        }
    )

    source: Annotated[Blob, Field(description="The image.")]
    pipeline: Annotated[Pipeline, Field(description="What to do with it.")] = Pipeline()
    reuse: Annotated[
        bool, Field(description="Whether a result that is still there may be the answer.")
    ] = True

    def result_key(self) -> str:
        """The key of the result: the same question has the same one."""
        question = f"{_RENDER_VERSION}:{self.source.key}:{self.pipeline.model_dump_json()}"
        return hashlib.sha256(question.encode()).hexdigest()


class Rendered(Message):
    """The result of a render."""

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

    blob: Annotated[Blob, Field(description="Where the result is.")]
    width: Annotated[int, Field(ge=1, description="Pixels across.")]
    height: Annotated[int, Field(ge=1, description="Pixels down.")]
    reused: Annotated[bool, Field(description="Whether it was there already.")] = False
    decode_ms: Annotated[Milliseconds, Field(description="Time spent decoding.")] = 0
    operations_ms: Annotated[Milliseconds, Field(description="Time spent on operations.")] = 0
    encode_ms: Annotated[Milliseconds, Field(description="Time spent encoding.")] = 0


class Depth(StrEnum):
    """How far an image is looked at: its header, which takes no time, or its pixels as well."""

    HEADER = "header"
    PIXELS = "pixels"


class Inspect(Message):
    """Say what the image in `source` is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": examples.BLOB}]})

    source: Annotated[Blob, Field(description="The image.")]
    depth: Annotated[Depth, Field(description="How far to look.")] = Depth.HEADER
    place: Annotated[bool, Field(description="Whether to say where it was taken.")] = False


class Inspected(Message):
    """What an image is, as the decoder sees it."""

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

    format: Annotated[str, Field(max_length=20, description="The format of the bytes.")]
    media_type: MediaType
    mode: Annotated[str, Field(max_length=10, description="Pillow's mode: RGB, L, CMYK, ...")]
    width: Annotated[int, Field(ge=1, description="Pixels across, once upright.")]
    height: Annotated[int, Field(ge=1, description="Pixels down, once upright.")]
    frames: Annotated[
        int, Field(ge=1, description="Frames of an animation, pages of a tiff; else 1.")
    ] = 1
    orientation: Annotated[
        int, Field(ge=1, le=8, description="EXIF orientation; 1 is upright.")
    ] = 1
    details: Annotated[
        Details | None, Field(description="Where the pixels were looked at as well.")
    ] = None


RENDER = Method("imaging.render", Render, Rendered)
INSPECT = Method("imaging.inspect", Inspect, Inspected)
METHODS = (RENDER, INSPECT)
