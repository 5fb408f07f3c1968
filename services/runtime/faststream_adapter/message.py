"""Fields of FastStream's raw message that its public interface leaves out."""

from typing import Any

from faststream.message import StreamMessage
from faststream.redis.message import RedisChannelMessage


def address_of(message: StreamMessage[Any]) -> str:
    """Return the channel, list or stream that a message came from."""
    return str(message.raw_message["channel"])


def entry_of(message: StreamMessage[Any]) -> str:
    """Return the id of the stream entry that held a message."""
    return str(message.raw_message["message_ids"][0].decode())


def deliveries_of(message: StreamMessage[Any]) -> int:
    """Return how often Redis has given the stream entry of a message to a worker."""
    return int(message.raw_message["deliveries"])


def from_channel(message: StreamMessage[Any]) -> bool:
    """Return whether a message was published to a channel."""
    return isinstance(message, RedisChannelMessage)
