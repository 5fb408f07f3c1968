"""A method is something a service answers: what it takes, what it gives, and where it listens."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from contracts.message import Message

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)

GROUP = "imaging"
"""The consumer group that shares the suite's streams among the workers."""


class Transport(StrEnum):
    """The Redis structure that carries a request; replies always come over a channel."""

    CHANNEL = "channel"
    LIST = "list"
    STREAM = "stream"


@dataclass(frozen=True)
class Method(Generic[RequestT, ReplyT]):
    """A request, its reply, and their addresses on each transport."""

    name: str
    request: type[RequestT]
    reply: type[ReplyT]

    def address(self, transport: Transport) -> str:
        """Where requests for this method are sent on `transport`.

        A channel, a list and a stream may not share a Redis key, so each has its own name.
        """
        return self.name if transport is Transport.CHANNEL else f"{self.name}:{transport}"
