"""Usage: one record for each answered request."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from contracts import examples
from contracts.message import Message
from contracts.methods import Transport

USAGE = "imaging.usage"
"""The stream of usage records. Old records are trimmed."""


class Usage(Message):
    """Record of an answered request: its method, its outcome and its duration.

    It is published after the reply, so that it never delays a reply or makes one fail.
    """

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

    method: Annotated[str, Field(max_length=100, description="Name of the method.")]
    transport: Annotated[Transport, Field(description="The transport of the request.")]
    outcome: Annotated[str, Field(max_length=40, description="ok, or the code of the failure.")]
    worker: Annotated[str, Field(max_length=200, description="Name of the worker that answered.")]
    seconds: Annotated[
        float, Field(ge=0, description="Time from the request's receipt to its reply.")
    ]
    at: Annotated[datetime, Field(description="When the reply was sent.")]
