"""The broker of a process: FastStream's, with one inbox, one pool and subscribers that last."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from faststream._internal.broker.registrator import Registrator
from faststream.redis import RedisBroker, RedisMessage
from faststream.redis.configs import ConnectionState, RedisConnectionState
from faststream.redis.message import RedisChannelMessage
from redis.asyncio import Redis

from contracts.control import CONTROL, Cancel
from contracts.message import Message
from contracts.methods import GROUP, Method, Transport
from services.runtime.capacity import Capacity
from services.runtime.introspection.queues import Queues
from services.runtime.liveness.heartbeat import Heartbeat, Report, new_worker_name
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.envelope import Envelope
from services.runtime.messaging.outbox import OnDelivery, Outbox
from services.runtime.messaging.subscriber_factory import (
    channel_subscriber,
    list_subscriber,
    stream_member,
    stream_reader,
)
from services.runtime.messaging.subscribers import Resilient
from services.runtime.redis.client import LOST, address_of, wait_for_redis
from services.runtime.redis.multiplexer import Multiplexer
from services.runtime.redis.subscription import Subscription
from services.runtime.retry_after import RetryAfter
from services.runtime.rpc.addresses import own_channel
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.rpc.claims import Claims
from services.runtime.rpc.instrumentation import CallInstrumentation
from services.runtime.rpc.middleware import Handler, ServingContext, ServingMiddleware, taking
from services.runtime.rpc.producer import ReplyInboxProducer
from services.runtime.rpc.reply_inbox import ReplyInbox
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_SPARE = 8
"""Connections that have to be left for everything that is asked now and then."""


class _GivenConnection(RedisConnectionState):
    """FastStream's connection state around a client that the process has already."""

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self._given = redis

    async def connect(self) -> Redis:
        self._client = self._given
        self._connected = True
        return self._given


class Broker(RedisBroker):
    """`broker.request(...)` as in FastStream; what is behind it is described in the decisions."""

    def __init__(
        self,
        redis: Redis,
        settings: RuntimeSettings,
        *,
        room: int = 1,
        report: Callable[[], Report] = dict,
        clock: Clock | None = None,
    ) -> None:
        self.redis = redis
        self.settings = settings
        self.worker = new_worker_name()
        self.room = Capacity(room)
        self.metrics = Metrics()
        self._wire = Multiplexer(redis)
        self.inbox = ReplyInbox(redis)
        self.outbox = Outbox(redis)
        self.pace = RetryAfter()
        self._clock = clock or Clock()
        self._calls = CallInstrumentation(self.worker, self.metrics, self.outbox)
        self.cancellations = Cancellations()
        rules = ServingContext(
            worker=self.worker,
            calls=self._calls,
            cancellations=self.cancellations,
            clock=self._clock,
            claims=Claims(self._wire, self.worker),
            reply=self._reply,
        )
        self.presence = Heartbeat(
            redis, self.worker, settings, self._clock, room=room, report=report
        )
        self._served: list[str] = []
        super().__init__(
            specification_url=f"redis://{address_of(settings)}",
            graceful_timeout=settings.graceful_timeout,
            middlewares=(ServingMiddleware.of(rules),),
            # Handlers are called past FastStream's dependency injection: see serving.taking.
            apply_types=False,
            message_format=Envelope,
            # Our middlewares and subscribers say what there is to say.
            logger=None,  # type: ignore[arg-type]
        )
        self._show_metrics()

    async def _reply(self, cmd: Any) -> None:
        producer = self._producer
        assert isinstance(producer, ReplyInboxProducer)
        await producer.reply(cmd)

    def _make_connection_state(
        self, connection_options: dict[str, Any], kwargs: dict[str, Any]
    ) -> ConnectionState[Any]:
        return _GivenConnection(self.redis)

    def _make_producer(
        self, connection_state: ConnectionState[Any], kwargs: dict[str, Any]
    ) -> ReplyInboxProducer:
        return ReplyInboxProducer(
            self._wire,
            self.inbox,
            self.outbox,
            self._clock,
            self.pace,
            connection=connection_state,
            parser=None,
            decoder=None,
            message_format=self.message_format,
            serializer=kwargs.get("serializer"),
        )

    async def start(self) -> None:
        """Wait for Redis, then listen for replies, serve, and say that this process is alive.

        Raises ValueError where the pool is too small for that.
        """
        self._count_connections()
        while True:
            await wait_for_redis(self.redis, self.settings)
            try:
                await self.inbox.start()
                await self.outbox.start()
                await super().start()
                await self.presence.start(self._served)
            except LOST:
                await super().stop()
            else:
                return

    def _count_connections(self) -> None:
        # What is held for good: the inbox, the wire, the outbox, and one for each subscriber.
        held = 3 + len(self.subscribers)
        if self.settings.redis_connections < held + _SPARE:
            raise ValueError(
                f"DARKROOM_REDIS_CONNECTIONS={self.settings.redis_connections} is too few: "
                f"this process needs {held + _SPARE}."
            )

    async def stop(self, *exc_info: Any) -> None:
        """Take nothing new, finish what is in hand, and go."""
        await self.presence.stop()
        await super().stop(*exc_info)
        await self.outbox.stop()
        await self.inbox.stop()
        await self._wire.drain()
        await self._wire.close()
        await self.redis.connection_pool.disconnect()

    async def request(  # type: ignore[override]  # as FastStream's own RedisBroker does
        self,
        message: Any,
        channel: str | None = None,
        *,
        list: str | None = None,
        stream: str | None = None,
        maxlen: int | None = None,
        correlation_id: str | None = None,
        headers: dict[str, Any] | None = None,
        timeout: float | None = 30.0,
    ) -> RedisChannelMessage:
        """Ask, and wait for the answer at most `timeout` seconds.

        Raises the ServiceError that the worker raised, or NoWorkers, Overloaded, Unavailable,
        DeadlineExceeded.
        """
        correlation_id = correlation_id or self.config.id_generator()
        transport = Transport.CHANNEL if channel else Transport.LIST if list else Transport.STREAM
        address = str(channel or list or stream)
        with self._calls.made(address, transport, correlation_id):
            return await super().request(
                message,
                channel,
                list=list,
                stream=stream,
                maxlen=maxlen,
                correlation_id=correlation_id,
                headers=headers,
                timeout=timeout,
            )

    def queues(self, methods: Sequence[Method[Any, Any]], *streams: str) -> Queues:
        """A look at what waits for `methods`, and in some streams beside."""
        return Queues(
            self.redis,
            self._clock,
            lists=[method.address(Transport.LIST) for method in methods],
            streams=[*(method.address(Transport.STREAM) for method in methods), *streams],
        )

    def publish_soon(
        self,
        record: Message,
        *,
        stream: str | None = None,
        channel: str | None = None,
        maxlen: int | None = None,
        on_delivery: OnDelivery | None = None,
    ) -> None:
        """Publish out of band: see Outbox.publish_soon."""
        self.outbox.publish_soon(
            record, stream=stream, channel=channel, maxlen=maxlen, on_delivery=on_delivery
        )

    def serve(self, method: Method[Any, Any], handler: Handler) -> None:
        """Answer `method` with `handler`, on every transport."""
        self._hear_control()
        self._served += [method.address(transport) for transport in Transport]
        handle = taking(method.request, handler)
        self._hear(method.address(Transport.CHANNEL), handle)
        self._add(list_subscriber(self, method.address(Transport.LIST)), handle)
        self._join(method.address(Transport.STREAM), handle, self.room)

    def work_off(self, stream: str, model: type[Message], handler: Handler, room: Capacity) -> None:
        """Handle each entry of `stream` on one worker, as many at once as `room` has places."""
        self._hear_control()
        self._served.append(stream)
        self._join(stream, taking(model, handler), room)

    def follow(
        self,
        stream: str,
        model: type[Message],
        handler: Handler,
        *,
        on_gap: Callable[[], None],
    ) -> None:
        """Tell `handler` every entry that `stream` gets from now on, in order.

        `on_gap` is called when some were trimmed before they could be read.
        """
        subscriber = stream_reader(self, stream)
        subscriber.on_gap = on_gap
        subscriber.tell = taking(model, handler)
        self._add(subscriber, subscriber.tell)

    def _hear_control(self) -> None:
        if CONTROL in self._served:
            return
        self._served.append(CONTROL)

        async def hear(cancel: Cancel, message: RedisMessage) -> None:
            self.cancellations.hear(cancel)

        self._hear(CONTROL, taking(Cancel, hear))

    def _hear(self, channel: str, handle: Callable[..., Any]) -> None:
        subscriber = channel_subscriber(self, channel)
        own = own_channel(channel, self.worker)
        subscriber.ear = Subscription(self.redis, channel, own, heard=subscriber.hear)
        self._add(subscriber, handle)

    def _join(self, stream: str, handle: Callable[..., Any], room: Capacity) -> None:
        subscriber = stream_member(self, stream, group=GROUP, consumer=self.worker)
        subscriber.presence = self.presence
        self._add(subscriber, handle, room=room)

    def _show_metrics(self) -> None:
        watch = self.metrics.watch
        watch("darkroom_calls_waiting", "Calls unanswered.", lambda: self.inbox.outstanding)
        watch("darkroom_inbox_listening", "Replies are heard.", lambda: self.inbox.listening)
        watch("darkroom_room_taken", "Messages in hand.", lambda: self.room.taken)
        watch("darkroom_outbox_failures", "Not delivered, ever.", lambda: self.outbox.failures)

    def _add(
        self, subscriber: Resilient, handle: Callable[..., Any], *, room: Capacity | None = None
    ) -> None:
        subscriber.redis = self.redis
        subscriber.shared = self._wire
        subscriber.wire = Multiplexer(self.redis)
        subscriber.room = room or self.room
        # What FastStream's own broker.subscriber does with the subscriber that it makes.
        Registrator.subscriber(self, subscriber)
        subscriber(handle)
