"""What a client may ask for: operations in order, each with its limits, and an output."""

from typing import Annotated

from pydantic import ConfigDict, Field

from contracts.looks import LookOperation
from contracts.message import Message
from contracts.outputs import Output
from contracts.shapes import ShapeOperation

MAX_OPERATIONS = 32

Operation = Annotated[ShapeOperation | LookOperation, Field(discriminator="op")]


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
