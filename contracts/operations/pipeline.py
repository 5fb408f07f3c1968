"""A pipeline: operations in order, and how the result is encoded."""

from collections.abc import Iterable
from typing import Annotated, get_args

from pydantic import ConfigDict, Field, field_validator

from contracts.fields import BlobKey, Expected
from contracts.message import Message
from contracts.operations.base import BaseOperation
from contracts.operations.finishes import FinishOperation
from contracts.operations.looks import LookOperation
from contracts.operations.overlays import OverlayOperation, Watermark
from contracts.operations.shapes import ShapeOperation
from contracts.outputs import Output

MAX_OPERATIONS = 32
MAX_IMAGES = 8

_Any = ShapeOperation | LookOperation | FinishOperation | OverlayOperation

OPERATIONS: dict[str, type[BaseOperation]] = {
    model.model_fields["op"].default: model for model in get_args(_Any)
}
"""The model of each operation by its name, in the order of documents and pages."""

Operation = Annotated[
    _Any,
    Field(discriminator="op"),
    Expected(f"op should be one of {', '.join(OPERATIONS)}"),
]


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

    @field_validator("operations")
    @classmethod
    def _name_few_images(cls, operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
        if len(_images(operations)) > MAX_IMAGES:
            raise ValueError(f"operations may name {MAX_IMAGES} images at most")
        return operations

    @property
    def images(self) -> tuple[BlobKey, ...]:
        """Keys of the images needed besides the source: each once, in the order of first use."""
        # Not cached: it takes microseconds, and `model_copy` with other operations would keep the
        # cached value.
        return _images(self.operations)


def _images(operations: tuple[Operation, ...]) -> tuple[BlobKey, ...]:
    return tuple(dict.fromkeys(one.image for one in operations if isinstance(one, Watermark)))


def images_of(source: BlobKey, pipelines: Iterable[Pipeline]) -> tuple[BlobKey, ...]:
    """Return the keys of the images that pipelines need: their source first, each once."""
    others = (key for pipeline in pipelines for key in pipeline.images)
    return tuple(dict.fromkeys((source, *others)))
