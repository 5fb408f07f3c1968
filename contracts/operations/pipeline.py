"""A pipeline: operations in order, and how the result is encoded."""

from typing import Annotated, Self, get_args

from pydantic import ConfigDict, Field, model_validator

from contracts.fields import BlobKey
from contracts.message import Message
from contracts.operations.base import BaseOperation
from contracts.operations.finishes import FinishOperation
from contracts.operations.looks import LookOperation
from contracts.operations.overlays import OverlayOperation, Watermark
from contracts.operations.shapes import ShapeOperation
from contracts.outputs import Output

MAX_OPERATIONS = 32
MAX_IMAGES = 8

Operation = Annotated[
    ShapeOperation | LookOperation | FinishOperation | OverlayOperation, Field(discriminator="op")
]

OPERATIONS: dict[str, type[BaseOperation]] = {
    model.model_fields["op"].default: model for model in get_args(get_args(Operation)[0])
}
"""The model of each operation by its name, in the order of documents and pages."""


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
        Field(max_length=MAX_OPERATIONS, description="Operations, applied from first to last."),
    ] = ()
    output: Annotated[Output, Field(description="How the result is encoded.")] = Output()

    @model_validator(mode="after")
    def _needs_few_images(self) -> Self:
        if len(self.images) > MAX_IMAGES:
            raise ValueError(f"operations may name {MAX_IMAGES} images at most")
        return self

    @property
    def images(self) -> tuple[BlobKey, ...]:
        """Keys of the images needed besides the source: each once, in the order of first use."""
        # Not cached: it takes microseconds, and `model_copy` with other operations would keep the
        # cached value.
        needed = (one.image for one in self.operations if isinstance(one, Watermark))
        return tuple(dict.fromkeys(needed))
