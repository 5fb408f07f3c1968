"""Control messages, which every worker receives."""

from typing import Annotated

from pydantic import ConfigDict, Field

from contracts import examples
from contracts.message import Message

CONTROL = "imaging.control"
"""The channel that every worker subscribes to."""


class Cancel(Message):
    """Cancel a request whose caller has left, or a job: do not start it, or stop it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subject": examples.REPLY_TO}]})

    subject: Annotated[
        str,
        Field(max_length=200, description="The request's reply channel, or the job's id."),
    ]
