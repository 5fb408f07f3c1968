"""FastStream's producer, which encodes each message and hands it to a sender."""

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from faststream.exceptions import SetupError
from faststream.message import StreamMessage, decode_message, encode_message
from faststream.redis.configs import ConnectionState
from faststream.redis.message import PubSubMessage
from faststream.redis.publisher.producer import RedisFastProducer
from faststream.redis.response import RedisPublishCommand
from faststream.response.publish_type import PublishType

from contracts.message import Message
from contracts.methods import Transport
from services.runtime.faststream_adapter.envelope import Envelope
from services.runtime.messaging.destination import Destination
from services.runtime.messaging.envelope import json_of, pack, pack_json

Encode = Callable[[str, Mapping[str, str]], bytes]
"""Return the request in its envelope, given its reply channel and additional headers."""


class Sender(Protocol):
    """The plain object that sends; `rpc.sender` implements it."""

    async def request(
        self, destination: Destination, encode: Encode, timeout: float | None
    ) -> tuple[str, bytes]:
        """Send a request; return its reply channel and the reply's envelope."""

    def publish(self, destination: Destination, data: bytes) -> Awaitable[Any]:
        """Send a message and return the future of Redis's answer."""

    def reply(self, channel: str, data: bytes, *, more: bool) -> None:
        """Send a reply without waiting for Redis's answer. With `more` a command follows it."""


class SenderProducer(RedisFastProducer):
    """Producer that sends every message by `sender`."""

    def __init__(self, sender: Sender, connection: ConnectionState[Any]) -> None:
        super().__init__(
            connection=connection,
            parser=None,
            decoder=None,
            message_format=Envelope,
            serializer=None,
        )
        self._sender = sender

    async def request(self, cmd: RedisPublishCommand) -> PubSubMessage:
        """Send a request; return its reply, a failure too, as FastStream reads it from a channel.

        Raises as `Sender.request`.
        """
        destination, correlation_id = _destination_of(cmd), cmd.correlation_id or ""
        channel, data = await self.call(
            destination, cmd.body, cmd.headers, correlation_id, cmd.timeout
        )
        return PubSubMessage(type="message", channel=channel, data=data, pattern=None)

    async def call(
        self,
        destination: Destination,
        body: Any,
        headers: Mapping[str, Any],
        correlation_id: str,
        timeout: float | None,
    ) -> tuple[str, bytes]:
        """Send a request; return its reply channel and the reply's envelope.

        Raises as `Sender.request`.
        """

        def encode(reply_to: str, more: Mapping[str, str]) -> bytes:
            return self._encoded(body, {**headers, **more}, correlation_id, reply_to)

        return await self._sender.request(destination, encode, timeout)

    async def publish(self, cmd: RedisPublishCommand) -> Any:
        """Send a message; FastStream sends one that belongs to a caller's pipeline."""
        if cmd.pipeline is not None:
            return await super().publish(cmd)
        if cmd.publish_type is PublishType.REPLY:
            self.reply(cmd.destination, cmd.body, cmd.headers, cmd.correlation_id or "")
            return None
        destination, correlation_id = _destination_of(cmd), cmd.correlation_id or ""
        return await self.publish_to(
            destination, cmd.body, cmd.headers, correlation_id, cmd.reply_to
        )

    def publish_to(
        self,
        destination: Destination,
        body: Any,
        headers: Mapping[str, Any],
        correlation_id: str,
        reply_to: str,
    ) -> Awaitable[Any]:
        """Send a message and return the future of Redis's answer. Raises as `Sender.publish`."""
        data = self._encoded(body, headers, correlation_id, reply_to)
        return self._sender.publish(destination, data)

    def reply(
        self,
        channel: str,
        body: Any,
        headers: Mapping[str, Any],
        correlation_id: str,
        more: bool = False,
    ) -> None:
        """Send a reply, as `Sender.reply`. Raises if the reply cannot be encoded."""
        self._sender.reply(channel, self.encoded_reply(body, headers, correlation_id), more=more)

    def encoded_reply(self, body: Any, headers: Mapping[str, Any], correlation_id: str) -> bytes:
        """Return a reply in its envelope. Raises if the reply cannot be encoded."""
        return self._encoded(body, headers, correlation_id, "")

    async def decode_reply(self, reply: StreamMessage[Any]) -> Any:
        """Return what `decode()` of a reply returns: the values of its JSON, or its text."""
        return decode_message(reply)

    def _encoded(
        self, body: Any, headers: Mapping[str, Any], correlation_id: str, reply_to: str
    ) -> bytes:
        """Return a message in its envelope, as FastStream's message format would build it."""
        if reply_to:
            headers = {"reply_to": reply_to, **headers}
        if isinstance(body, Message):
            return pack_json(json_of(body), correlation_id, headers)
        data, content_type = encode_message(body, self.serializer)
        always = {"correlation_id": correlation_id}
        if content_type:
            always["content-type"] = content_type
        return pack(data, {**always, **headers})


@lru_cache(maxsize=1024)
def destination_of(
    channel: str | None, list: str | None, stream: str | None, maxlen: int | None
) -> Destination:
    """Return where a message goes. Raises SetupError unless one address is given, and no other."""
    addresses = {Transport.CHANNEL: channel, Transport.LIST: list, Transport.STREAM: stream}
    given = [(transport, address) for transport, address in addresses.items() if address]
    if len(given) != 1:
        raise SetupError("Give one of `channel`, `list` and `stream`.")
    [(transport, address)] = given
    return Destination(transport, address, maxlen)


def _destination_of(cmd: RedisPublishCommand) -> Destination:
    return Destination(Transport(cmd.destination_type.value), cmd.destination, cmd.maxlen)
