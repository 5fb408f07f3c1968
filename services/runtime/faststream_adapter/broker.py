"""FastStream's broker around a given Redis client, a given sender and our consumers."""

from typing import Any

from faststream._internal.broker.registrator import Registrator
from faststream.redis import RedisBroker
from faststream.redis.configs import ConnectionState, RedisConnectionState
from faststream.redis.response import RedisPublishCommand
from faststream.types import BrokerMiddleware

from services.runtime.faststream_adapter.envelope import Envelope
from services.runtime.faststream_adapter.producer import Sender, SenderProducer
from services.runtime.faststream_adapter.subscriber import (
    ConsumerSubscriber,
    DirectSubscriber,
    Handle,
)
from services.runtime.messaging.consumer import Consumer
from services.runtime.redis.client import RedisClient


class AdaptedBroker(RedisBroker):
    """RedisBroker whose connection, producer and subscribers are replaced."""

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
        self.consumers: list[Consumer] = []
        super().__init__(
            specification_url=specification_url,
            graceful_timeout=graceful_timeout,
            middlewares=(middleware,),
            # FastStream's dependency injection would take half of the time of a small call.
            apply_types=False,
            message_format=Envelope,
            # Our middleware and consumers write the log lines.
            logger=None,  # type: ignore[arg-type]
        )

    def attach(self, consumer: Consumer, handle: Handle) -> None:
        """Call `handle` through the middlewares for each message of `consumer`."""
        self._register(ConsumerSubscriber(self, consumer), handle)

    def attach_directly(self, consumer: Consumer, handle: Handle) -> None:
        """Call `handle` for each message of `consumer`, without the middlewares."""
        self._register(DirectSubscriber(self, consumer, handle), handle)

    async def send_reply(self, cmd: RedisPublishCommand) -> None:
        """Send a reply without waiting for Redis. Raises if the reply cannot be encoded."""
        await self._sender_producer.reply(cmd)

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
