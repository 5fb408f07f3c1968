"""FastStream's subscriber around one of our consumers.

The consumer reads, reconnects and acknowledges; FastStream parses, runs the middlewares and calls
the handler.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream.exceptions import IgnoredException
from faststream.message import StreamMessage
from faststream.middlewares import AckPolicy
from faststream.redis import RedisBroker, RedisMessage
from faststream.redis.configs import RedisBrokerConfig
from faststream.redis.message import UnifyRedisDict
from faststream.redis.parser import (
    RedisListParser,
    RedisPubSubParser,
    RedisStreamParser,
    SimpleParserConfig,
)
from faststream.redis.subscriber.config import (
    RedisSubscriberConfig,
    RedisSubscriberSpecificationConfig,
)
from faststream.redis.subscriber.specification import RedisSubscriberSpecification
from faststream.redis.subscriber.usecases import LogicSubscriber

from contracts.methods import Transport
from services.runtime.faststream_adapter.envelope import Envelope
from services.runtime.messaging.consumer import Consumer, Received

Handle = Callable[[RedisMessage], Awaitable[Any]]
"""A handler as FastStream calls it; its result is published as the reply."""

_PARSERS = {
    Transport.CHANNEL: RedisPubSubParser,
    Transport.LIST: RedisListParser,
    Transport.STREAM: RedisStreamParser,
}


class ConsumerSubscriber(LogicSubscriber):
    """Subscriber whose messages come from `consumer`, which also acknowledges them."""

    def __init__(self, broker: RedisBroker, consumer: Consumer) -> None:
        # FastStream passes this composition of configurations wherever it says RedisBrokerConfig.
        broker_config = cast(RedisBrokerConfig, broker.config)
        calls = CallsCollection[Any]()
        config = RedisSubscriberConfig(_outer_config=broker_config, _ack_policy=AckPolicy.MANUAL)
        parser = _PARSERS[consumer.transport](SimpleParserConfig(Envelope))
        config.parser = parser.parse_message
        config.decoder = _unchanged
        super().__init__(config, _Undocumented(broker_config, _UNTITLED, calls), calls)
        self.consumer = consumer

    async def start(self) -> None:
        """Prepare the handler and start the consumer. Raises RedisError or OSError."""
        # LogicSubscriber.start would read by itself, by FastStream's own loop.
        await super(LogicSubscriber, self).start()
        self.running = True
        await self.consumer.start(self._deliver)

    async def stop(self) -> None:
        """Stop the consumer, which lets the messages it has taken be finished."""
        await self.consumer.stop()
        await super().stop()

    async def _deliver(self, received: Received) -> None:
        try:
            await self.process_message(_raw(self.consumer.transport, received))
        except IgnoredException:
            # Raised on purpose: the message is finished without a reply.
            return

    def get_log_context(self, message: StreamMessage[Any] | None) -> dict[str, str]:
        """Return the fields that FastStream's logger adds to a line."""
        return self.build_log_context(message, self.consumer.address)

    async def _get_msgs(self, *args: Any) -> None:
        raise NotImplementedError("The consumer reads.")

    async def get_one(self, *, timeout: float = 5.0) -> Any:
        """Not supported: the consumer reads."""
        raise NotImplementedError

    def __aiter__(self) -> Any:
        """Not supported: the consumer reads."""
        raise NotImplementedError


class DirectSubscriber(ConsumerSubscriber):
    """Subscriber that calls its handler without FastStream's middlewares.

    Every gateway reads every event, three or more a job, and no middleware acts on an event.
    """

    def __init__(self, broker: RedisBroker, consumer: Consumer, handle: Handle) -> None:
        super().__init__(broker, consumer)
        self._handle = handle

    async def _deliver(self, received: Received) -> None:
        message = await self.config.parser(_raw(self.consumer.transport, received))
        await self._handle(message)


class _Undocumented(RedisSubscriberSpecification):
    """Specification of a subscriber: empty, as the contracts make the suite's document."""

    @property
    def address(self) -> str:
        return ""

    def get_schema(self) -> dict[str, Any]:
        return {}


_UNTITLED = RedisSubscriberSpecificationConfig(title_=None, description_=None)


async def _unchanged(message: Any) -> Any:
    """Decode nothing: a handler takes the message and validates its body by the contract."""
    return message


def _raw(transport: Transport, received: Received) -> UnifyRedisDict:
    raw: dict[str, Any] = {"channel": received.address, "data": received.data}
    if transport is Transport.STREAM:
        raw |= {"type": "stream", "message_ids": [received.entry]}
        raw["deliveries"] = received.deliveries
    else:
        raw |= {"type": "list" if transport is Transport.LIST else "message", "pattern": None}
    return cast(UnifyRedisDict, raw)
