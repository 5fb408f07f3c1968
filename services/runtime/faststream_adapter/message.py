"""FastStream's messages, made from the bytes that a consumer or the inbox received."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from faststream.message import SourceType, StreamMessage
from faststream.redis.message import (
    FAKE_CONSUMER,
    PubSubMessage,
    RedisChannelMessage,
    RedisListMessage,
    RedisStreamMessage,
)

from contracts.methods import Transport
from services.runtime.faststream_adapter.envelope import Envelope
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.destination import DATA_FIELD
from services.runtime.messaging.envelope import new_correlation_id

_KINDS: dict[Transport, Any] = {
    Transport.CHANNEL: RedisChannelMessage,
    Transport.LIST: RedisListMessage,
    # Our consumer acknowledges, so a message has nothing to do it by.
    Transport.STREAM: partial(RedisStreamMessage, consumer=FAKE_CONSUMER, group=None),
}

_DATA_FIELD = DATA_FIELD.encode()


def raw_of(transport: Transport, received: Received) -> dict[str, Any]:
    """Return a message from Redis in the shape that FastStream's parsers take."""
    raw: dict[str, Any] = {"channel": received.address, "data": received.data}
    if transport is Transport.STREAM:
        raw |= {"type": "stream", "message_ids": [received.entry]}
        raw["deliveries"] = received.deliveries
    else:
        raw |= {"type": "list" if transport is Transport.LIST else "message", "pattern": None}
    return raw


def message_of(transport: Transport, received: Received) -> StreamMessage[Any]:
    """Return a message from Redis as FastStream's parsers would make it.

    A parser takes three times as long, because it makes an id for each message that has one.
    """
    data: Any = received.data
    if transport is Transport.STREAM:
        data = data.get(_DATA_FIELD, b"")
    raw = raw_of(transport, received)
    message: StreamMessage[Any] = _parsed(_KINDS[transport], raw, data, SourceType.CONSUME)
    return message


def reply_of(channel: str, data: bytes) -> RedisChannelMessage:
    """Return a reply from its channel as FastStream's parsers would make it."""
    raw = PubSubMessage(type="message", channel=channel, data=data, pattern=None)
    reply: RedisChannelMessage = _parsed(RedisChannelMessage, raw, data, SourceType.RESPONSE)
    return reply


def address_of(message: StreamMessage[Any]) -> str:
    """Return the channel, list or stream that a message came from."""
    return str(message.raw_message["channel"])


def entry_of(message: StreamMessage[Any]) -> str:
    """Return the id of the stream entry that held a message."""
    return str(message.raw_message["message_ids"][0].decode())


def fields_of(message: StreamMessage[Any]) -> Mapping[bytes, bytes]:
    """Return the fields of the stream entry that held a message; none for another message."""
    data = message.raw_message["data"]
    return data if isinstance(data, dict) else {}


def deliveries_of(message: StreamMessage[Any]) -> int:
    """Return how often Redis has given the stream entry of a message to a worker."""
    return int(message.raw_message["deliveries"])


def from_channel(message: StreamMessage[Any]) -> bool:
    """Return whether a message was published to a channel."""
    return isinstance(message, RedisChannelMessage)


def from_stream(message: StreamMessage[Any]) -> bool:
    """Return whether a message was an entry of a stream."""
    return isinstance(message, RedisStreamMessage)


def _parsed(kind: Any, raw: Any, data: bytes, source: SourceType) -> Any:
    body, headers = Envelope.parse(data)
    correlation_id = headers.get("correlation_id") or new_correlation_id()
    return kind(
        raw,
        body,
        headers=headers,
        reply_to=headers.get("reply_to", ""),
        content_type=headers.get("content-type"),
        message_id=headers.get("message_id", correlation_id),
        correlation_id=correlation_id,
        source_type=source,
    )
