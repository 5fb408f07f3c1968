"""What is told to every worker at once, beside the work."""

from typing import Annotated

from pydantic import ConfigDict, Field

from contracts import examples
from contracts.message import Message

CONTROL = "imaging.control"
"""The channel that every worker hears."""


class Cancel(Message):
    """Nobody waits for this any more: don't start it, or stop."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subject": examples.REPLY_TO}]})

    subject: Annotated[
        str,
        Field(
            max_length=200,
            description="The reply channel that a request named, or the id of a job.",
        ),
    ]
