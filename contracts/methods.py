"""Methods: what a service answers, and the addresses it listens at."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from contracts.message import Message

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)

GROUP = "imaging"
"""The consumer group of the workers, on every stream that they share."""


class Transport(StrEnum):
    """The Redis structure that carries a request. Replies are always sent over a channel."""

    CHANNEL = "channel"
    LIST = "list"
    STREAM = "stream"


@dataclass(frozen=True)
class Method(Generic[RequestT, ReplyT]):
    """A method: its name, and the types of its request and its reply."""

    name: str
    request: type[RequestT]
    reply: type[ReplyT]

    def address(self, transport: Transport) -> str:
        """Return the channel, list or stream that requests are sent to over `transport`.

        Each has a name of its own, because one Redis key cannot be both a list and a stream.
        """
        return self.name if transport is Transport.CHANNEL else f"{self.name}:{transport}"
