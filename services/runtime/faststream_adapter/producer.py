"""FastStream's producer, which encodes each command and hands it to a sender."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from faststream.redis.configs import ConnectionState
from faststream.redis.message import PubSubMessage
from faststream.redis.publisher.producer import RedisFastProducer
from faststream.redis.response import RedisPublishCommand

from contracts.methods import Transport
from services.runtime.faststream_adapter.envelope import Envelope
from services.runtime.messaging.destination import Destination

Encode = Callable[[str, Mapping[str, str]], Awaitable[bytes]]
"""Return the request in its envelope, given its reply channel and additional headers."""


class Sender(Protocol):
    """The plain object that sends; `rpc.sender` implements it."""

    async def request(
        self, destination: Destination, encode: Encode, timeout: float | None
    ) -> tuple[str, bytes]:
        """Send a request; return its reply channel and the reply's envelope."""

    async def publish(self, destination: Destination, data: bytes) -> Any:
        """Send a message and return Redis's answer."""

    def reply(self, channel: str, data: bytes) -> None:
        """Send a reply without waiting for Redis's answer."""


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

        async def encode(reply_to: str, headers: Mapping[str, str]) -> bytes:
            return await self._encoded(cmd, reply_to, headers)

        channel, data = await self._sender.request(_destination_of(cmd), encode, cmd.timeout)
        return PubSubMessage(type="message", channel=channel, data=data, pattern=None)

    async def publish(self, cmd: RedisPublishCommand) -> Any:
        """Send a message; FastStream sends one that belongs to a caller's pipeline."""
        if cmd.pipeline is not None:
            return await super().publish(cmd)
        data = await self._encoded(cmd, cmd.reply_to, {})
        return await self._sender.publish(_destination_of(cmd), data)

    async def reply(self, cmd: RedisPublishCommand) -> None:
        """Send a reply. Raises if the reply cannot be encoded."""
        self._sender.reply(cmd.destination, await self._encoded(cmd, cmd.reply_to, {}))

    async def _encoded(
        self, cmd: RedisPublishCommand, reply_to: str, headers: Mapping[str, str]
    ) -> bytes:
        # cmd.message_format is FastStream's own, slower one in a RedisResponse.
        return await Envelope.encode(
            message=cmd.body,
            reply_to=reply_to,
            headers={**cmd.headers, **headers},
            correlation_id=cmd.correlation_id or "",
            serializer=self.serializer,
            codec=self.codec,
        )


def _destination_of(cmd: RedisPublishCommand) -> Destination:
    return Destination(Transport(cmd.destination_type.value), cmd.destination, cmd.maxlen)
