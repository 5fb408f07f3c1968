"""Control messages, which every worker and every gateway receives."""

from typing import Annotated

from pydantic import ConfigDict, Field, RootModel

from contracts import examples
from contracts.fields import BlobKey
from contracts.message import Message

CONTROL = "imaging.control"
"""The channel that every worker and every gateway subscribes to."""


class Cancel(Message):
    """Cancel a request whose caller has left, or a job: do not start it, or stop it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subject": examples.REPLY_TO}]})

    subject: Annotated[
        str,
        Field(max_length=200, description="The request's reply channel, or the job's id."),
    ]


class Purged(Message):
    """Forget what was made from an image: it was deleted, or its results, or its life was changed.

    Gateways drop the answers that they hold in memory.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"image": examples.BLOB["key"]}]})

    image: Annotated[BlobKey, Field(description="Key of the image.")]


class Control(RootModel[Cancel | Purged]):
    """Any control message. Its fields tell which one it is."""
