"""Control messages, which every worker and every gateway receives."""

from typing import Annotated

from pydantic import ConfigDict, Field, RootModel

from contracts import examples
from contracts.errors import Failure
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


class RenderEnded(Message):
    """Stop waiting for a rendition that another worker was rendering: it is stored, or failed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"rendition": examples.BLOB["key"], "failure": None}]}
    )

    rendition: Annotated[BlobKey, Field(description="Key of the rendition.")]
    failure: Annotated[
        Failure | None,
        Field(description="The failure of every render of it; null if it may be looked up."),
    ] = None


class Control(RootModel[Cancel | Purged | RenderEnded]):
    """Any control message. Its fields tell which one it is."""
