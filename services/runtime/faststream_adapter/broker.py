"""FastStream's broker around a given Redis client, a given sender and our consumers."""

from collections.abc import Mapping
from typing import Any

from faststream._internal.broker.registrator import Registrator
from faststream.redis import RedisBroker
from faststream.redis.configs import ConnectionState, RedisConnectionState
from faststream.redis.message import RedisChannelMessage
from faststream.types import BrokerMiddleware

from services.runtime.faststream_adapter.envelope import Envelope
from services.runtime.faststream_adapter.message import reply_of
from services.runtime.faststream_adapter.producer import Sender, SenderProducer, destination_of
from services.runtime.faststream_adapter.subscriber import (
    ConsumerSubscriber,
    DirectSubscriber,
    Handle,
    Serve,
    unchanged,
)
from services.runtime.messaging.consumer import Consumer, Deliver
from services.runtime.messaging.destination import Destination
from services.runtime.messaging.envelope import new_correlation_id
from services.runtime.redis.client import RedisClient


class AdaptedBroker(RedisBroker):
    """RedisBroker whose connection, producer and subscribers are replaced.

    While `middleware` is the only one, messages and calls go past FastStream's stages, and its work
    is done without it: by the `serve` of `attach`, and by who calls `request`. Once somebody has
    added another middleware, every message and call goes through the stages.
    """

    def __init__(
        self,
        redis: RedisClient,
        sender: Sender,
        *,
        middleware: BrokerMiddleware[Any],
        graceful_timeout: float,
        specification_url: str,
    ) -> None:
        self._given_redis = redis
        self._sender = sender
        self._own_middlewares = (middleware,)
        self.consumers: list[Consumer] = []
        super().__init__(
            specification_url=specification_url,
            graceful_timeout=graceful_timeout,
            middlewares=self._own_middlewares,
            # FastStream's dependency injection would take half of the time of a small call.
            apply_types=False,
            message_format=Envelope,
            # Our middleware and consumers write the log lines.
            logger=None,  # type: ignore[arg-type]
        )

    @property
    def has_other_middlewares(self) -> bool:
        """True if a middleware of FastStream's was added to this broker after it was made."""
        # FastStream replaces the tuple when one is added.
        return self.config.broker_config.broker_middlewares is not self._own_middlewares

    def attach(self, consumer: Consumer, handle: Handle, serve: Serve) -> None:
        """Call `serve` for each message of `consumer`, or `handle` through the middlewares."""
        subscriber = ConsumerSubscriber(self, consumer, serve, lambda: self.has_other_middlewares)
        self._register(subscriber, handle)

    def attach_directly(self, consumer: Consumer, deliver: Deliver) -> None:
        """Call `deliver` for each message of `consumer`, never through the middlewares.

        Every gateway reads every event, three or more a job, and no middleware acts on an event. To
        make a message of FastStream's for each took three times as long as to read it.
        """
        self._register(DirectSubscriber(self, consumer, deliver), unchanged)

    def reply(
        self, channel: str, body: Any, headers: Mapping[str, Any], correlation_id: str, more: bool
    ) -> None:
        """Send a reply without waiting for Redis, with `more` as `Sender.reply`.

        Raises if the reply cannot be encoded.
        """
        self._sender_producer.reply(channel, body, headers, correlation_id, more)

    def encoded_reply(self, body: Any, headers: Mapping[str, Any], correlation_id: str) -> bytes:
        """Return a reply in its envelope. Raises if the reply cannot be encoded."""
        return self._sender_producer.encoded_reply(body, headers, correlation_id)

    async def publish(
        self,
        message: Any = None,
        channel: str | None = None,
        *,
        reply_to: str = "",
        headers: dict[str, Any] | None = None,
        correlation_id: str | None = None,
        list: str | None = None,
        stream: str | None = None,
        maxlen: int | None = None,
        pipeline: Any = None,
    ) -> Any:
        """Publish a message and return Redis's answer. Raises as the sender.

        FastStream publishes what belongs to a pipeline. Raises SetupError unless one address is
        given, and no other.
        """
        to = destination_of(channel, list, stream, maxlen)
        if pipeline is not None or self.has_other_middlewares:
            return await super().publish(
                *(message, channel),
                reply_to=reply_to,
                headers=headers,
                correlation_id=correlation_id,
                list=list,
                stream=stream,
                maxlen=maxlen,
                pipeline=pipeline,
            )
        return await self._sender_producer.publish_to(
            to,
            message,
            headers or {},
            correlation_id or new_correlation_id(),
            reply_to,
        )

    async def request_directly(
        self,
        destination: Destination,
        message: Any,
        *,
        correlation_id: str,
        headers: Mapping[str, Any] | None,
        timeout: float | None,
    ) -> RedisChannelMessage:
        """Send a request and return its reply, without the middlewares. Raises as the sender."""
        producer = self._sender_producer
        channel, data = await producer.call(
            destination, message, headers or {}, correlation_id, timeout
        )
        reply = reply_of(channel, data)
        reply.set_decoder(producer.decode_reply)
        return reply

    def _register(self, subscriber: ConsumerSubscriber, handle: Handle) -> None:
        self.consumers.append(subscriber.consumer)
        # RedisBroker.subscriber does the same with the subscriber that it makes.
        Registrator.subscriber(self, subscriber)
        subscriber(handle)

    def _make_connection_state(
        self, connection_options: dict[str, Any], kwargs: dict[str, Any]
    ) -> ConnectionState[Any]:
        return _GivenConnection(self._given_redis)

    def _make_producer(
        self, connection_state: ConnectionState[Any], kwargs: dict[str, Any]
    ) -> SenderProducer:
        self._sender_producer = SenderProducer(self._sender, connection_state)
        return self._sender_producer


class _GivenConnection(RedisConnectionState):
    """Connection state around a client that its owner opens and closes.

    FastStream expects redis-py's client; with our sender and consumers it uses `ping` alone.
    """

    def __init__(self, redis: RedisClient) -> None:
        super().__init__()
        self._given: Any = redis

    @property
    def client(self) -> Any:
        return self._given

    async def connect(self) -> Any:
        return self._given

    async def disconnect(self) -> None:
        """Leave the client open."""
