"""Usage: one record for each answered request, published beside the answer and never before it."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from contracts import examples
from contracts.message import Message
from contracts.methods import Transport

USAGE = "imaging.usage"
"""The stream of usage records; trimmed."""


class Usage(Message):
    """A request that was answered: what it was, how it went, and what it cost."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "method": "imaging.render",
                    "transport": "stream",
                    "outcome": "ok",
                    "worker": "studio-4711-9f86d081",
                    "seconds": 0.031,
                    "at": examples.TIME,
                }
            ]
        }
    )

    method: Annotated[str, Field(max_length=100, description="What was asked for.")]
    transport: Annotated[Transport, Field(description="How the request travelled.")]
    outcome: Annotated[str, Field(max_length=40, description="ok, or the code of the failure.")]
    worker: Annotated[str, Field(max_length=200, description="Who answered.")]
    seconds: Annotated[float, Field(ge=0, description="From taking it up to its answer.")]
    at: Annotated[datetime, Field(description="When it was answered.")]
