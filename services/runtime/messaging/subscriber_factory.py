"""Our subscribers, made as FastStream makes its own: the way into its private names."""

from typing import Any, TypeVar, cast

from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream.middlewares import AckPolicy
from faststream.redis import ListSub, PubSub, RedisBroker, StreamSub
from faststream.redis.configs import RedisBrokerConfig
from faststream.redis.subscriber.config import (
    RedisSubscriberConfig,
    RedisSubscriberSpecificationConfig,
)
from faststream.redis.subscriber.specification import (
    ChannelSubscriberSpecification,
    ListSubscriberSpecification,
    RedisSubscriberSpecification,
    StreamSubscriberSpecification,
)

from services.runtime.messaging.streams import ResilientStreamReader, ResilientStreamSubscriber
from services.runtime.messaging.subscribers import (
    POLL,
    Resilient,
    ResilientChannelSubscriber,
    ResilientListSubscriber,
)

ResilientT = TypeVar("ResilientT", bound=Resilient)

_UNTITLED = RedisSubscriberSpecificationConfig(title_=None, description_=None)


def channel_subscriber(broker: RedisBroker, name: str) -> ResilientChannelSubscriber:
    """One that hears a channel."""
    channel, calls = PubSub(name, polling_interval=POLL), _no_calls()
    described = ChannelSubscriberSpecification(_config(broker), _UNTITLED, calls, channel)
    return _made(ResilientChannelSubscriber, broker, described, calls, channel_sub=channel)


def list_subscriber(broker: RedisBroker, name: str) -> ResilientListSubscriber:
    """One that takes from a list."""
    takes, calls = ListSub(name, polling_interval=POLL), _no_calls()
    described = ListSubscriberSpecification(_config(broker), _UNTITLED, calls, takes)
    return _made(ResilientListSubscriber, broker, described, calls, list_sub=takes)


def stream_member(
    broker: RedisBroker, name: str, *, group: str, consumer: str
) -> ResilientStreamSubscriber:
    """One that shares a stream with the others of its group."""
    stream, calls = StreamSub(name, group=group, consumer=consumer), _no_calls()
    described = StreamSubscriberSpecification(_config(broker), _UNTITLED, calls, stream)
    return _made(ResilientStreamSubscriber, broker, described, calls, stream_sub=stream)


def stream_reader(broker: RedisBroker, name: str) -> ResilientStreamReader:
    """One that reads all of a stream from now on."""
    stream, calls = StreamSub(name, last_id="$"), _no_calls()
    described = StreamSubscriberSpecification(_config(broker), _UNTITLED, calls, stream)
    return _made(ResilientStreamReader, broker, described, calls, stream_sub=stream)


def _made(
    kind: type[ResilientT],
    broker: RedisBroker,
    described: RedisSubscriberSpecification,
    calls: CallsCollection[Any],
    **reads: Any,
) -> ResilientT:
    config = RedisSubscriberConfig(
        _outer_config=_config(broker), _ack_policy=AckPolicy.MANUAL, **reads
    )
    subscriber = kind(config, described, calls)
    # A handler is given the message itself, and reads the body by its contract.
    subscriber._decoder = _itself
    return subscriber


def _config(broker: RedisBroker) -> RedisBrokerConfig:
    # FastStream passes this composition wherever it says RedisBrokerConfig.
    return cast(RedisBrokerConfig, broker.config)


def _no_calls() -> CallsCollection[Any]:
    return CallsCollection()


async def _itself(message: Any) -> Any:
    return message
