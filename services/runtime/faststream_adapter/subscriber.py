"""FastStream's subscriber around one of our consumers.

The consumer reads, reconnects and acknowledges. A message goes straight to the handler, or through
FastStream's own stages where somebody has added a middleware.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream.exceptions import IgnoredException
from faststream.message import StreamMessage
from faststream.middlewares import AckPolicy
from faststream.redis import RedisBroker
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
from services.runtime.faststream_adapter.message import message_of, raw_of
from services.runtime.messaging.consumer import Consumer, Deliver, Received

Handle = Callable[[Any], Awaitable[Any]]
"""A handler of FastStream's messages; its result is published as the reply."""

Serve = Callable[[Any], Awaitable[None]]
"""Handle a message and send its reply, in place of FastStream's own stages."""

_PARSERS = {
    Transport.CHANNEL: RedisPubSubParser,
    Transport.LIST: RedisListParser,
    Transport.STREAM: RedisStreamParser,
}


class ConsumerSubscriber(LogicSubscriber):
    """Subscriber whose messages come from `consumer`, which also acknowledges them.

    `serve` handles each message. FastStream's stages do so while `through_middlewares()` is true:
    they take three times as long as a small call needs.
    """

    def __init__(
        self,
        broker: RedisBroker,
        consumer: Consumer,
        serve: Serve,
        through_middlewares: Callable[[], bool],
    ) -> None:
        # FastStream passes this composition of configurations wherever it says RedisBrokerConfig.
        broker_config = cast(RedisBrokerConfig, broker.config)
        calls = CallsCollection[Any]()
        config = RedisSubscriberConfig(_outer_config=broker_config, _ack_policy=AckPolicy.MANUAL)
        parser = _PARSERS[consumer.transport](SimpleParserConfig(Envelope))
        config.parser = parser.parse_message
        config.decoder = unchanged
        super().__init__(config, _Undocumented(broker_config, _UNTITLED, calls), calls)
        self.consumer = consumer
        self._serve = serve
        self._through_middlewares = through_middlewares

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
        transport = self.consumer.transport
        try:
            if self._through_middlewares():
                await self.process_message(cast(UnifyRedisDict, raw_of(transport, received)))
            else:
                message = message_of(transport, received)
                message.set_decoder(unchanged)
                await self._serve(message)
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
    """Subscriber whose messages go to `deliver` as Redis gave them, never through middlewares."""

    def __init__(self, broker: RedisBroker, consumer: Consumer, deliver: Deliver) -> None:
        super().__init__(broker, consumer, unchanged, lambda: False)
        self._directly = deliver

    async def _deliver(self, received: Received) -> None:
        await self._directly(received)


class _Undocumented(RedisSubscriberSpecification):
    """Specification of a subscriber: empty, as the contracts make the suite's document."""

    @property
    def address(self) -> str:
        return ""

    def get_schema(self) -> dict[str, Any]:
        return {}


_UNTITLED = RedisSubscriberSpecificationConfig(title_=None, description_=None)


async def unchanged(message: Any) -> Any:
    """Decode nothing: a handler takes the message and validates its body by the contract."""
    return message
