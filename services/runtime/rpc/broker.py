"""The broker of a process: its calls, its served methods and its consumers, put together."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import uuid4

import structlog
from faststream.redis import RedisMessage
from faststream.redis.message import RedisChannelMessage

from contracts.control import CONTROL, Cancel, Control
from contracts.errors import NoWorkers
from contracts.message import Message
from contracts.methods import GROUP, Method, Transport
from services.runtime.capacity import Capacity
from services.runtime.faststream_adapter.broker import AdaptedBroker
from services.runtime.faststream_adapter.subscriber import Handle
from services.runtime.liveness.heartbeat import Heartbeat, Report, new_worker_name
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.channel_consumer import ChannelConsumer
from services.runtime.messaging.list_consumer import ListConsumer
from services.runtime.messaging.outbox import OnDelivery, Outbox
from services.runtime.messaging.stream_consumer import GiveUp, StreamConsumer, TakeNext
from services.runtime.messaging.stream_reader import StreamReader
from services.runtime.redis.client import RECONNECT_DELAY, RedisClient
from services.runtime.redis.replies import FULL, LOST
from services.runtime.redis.watch import OnRefused, StoreWatch, raise_refused
from services.runtime.retry_after import RetryAfter
from services.runtime.rpc.addresses import own_channel
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.rpc.claims import Claims
from services.runtime.rpc.instrumentation import CallInstrumentation
from services.runtime.rpc.middleware import (
    Handler,
    ServingContext,
    ServingMiddleware,
    limited,
    validating,
)
from services.runtime.rpc.reply_inbox import ReplyInbox
from services.runtime.rpc.sender import MessageSender
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

ControlT = TypeVar("ControlT", bound=Message)


class Broker(AdaptedBroker):
    """FastStream's RedisBroker with typed methods, one reply inbox and consumers that reconnect.

    `capacity` is the number of requests that this process handles at once, beside `lendable` ones
    that don't count in it (`Capacity.lent`). `report` returns
    the fields that the heartbeat adds to the host, the process and its versions. `on_refused` is
    called by `start` for a Redis that can't be used.
    """

    def __init__(
        self,
        redis: RedisClient,
        settings: RuntimeSettings,
        *,
        capacity: int = 1,
        lendable: int = 0,
        report: Callable[[], Report] = dict,
        clock: Clock | None = None,
        on_refused: OnRefused = raise_refused,
    ) -> None:
        self.redis = redis
        self.settings = settings
        self.worker = new_worker_name()
        self.capacity = Capacity(capacity)
        self.metrics = Metrics()
        self.inbox = ReplyInbox(redis)
        self.outbox = Outbox(redis)
        self.retry_after = RetryAfter()
        self.clock = clock or Clock()
        allow_volatile = settings.allow_volatile
        self.store = StoreWatch(
            redis, self.metrics, allow_volatile=allow_volatile, on_refused=on_refused
        )
        self._calls = CallInstrumentation(self.worker, self.metrics, self.outbox)
        self.cancellations = Cancellations()
        serving = ServingContext(
            worker=self.worker,
            calls=self._calls,
            cancellations=self.cancellations,
            clock=self.clock,
            claims=Claims(redis, self.worker),
            send_reply=self.send_reply,
        )
        # Callers are refused when a queue has four times the reported capacity. Lent messages are
        # still in the queue, and must not take the places of others.
        reported = capacity + -(-lendable // 4)
        self.heartbeat = Heartbeat(
            redis, self.worker, settings, self.clock, capacity=reported, report=report
        )
        self._served: list[str] = []
        self._on_control: dict[type[Message], Callable[[Any], None]] = {}
        self.on_control(Cancel, self.cancellations.cancel)
        self.prepare: Callable[[], Awaitable[None]] | None = None
        """Called when Redis answers, before anything is consumed; again if Redis is lost then."""
        super().__init__(
            redis,
            MessageSender(redis, self.inbox, self.outbox, self.clock, self.retry_after),
            middleware=ServingMiddleware.of(serving),
            graceful_timeout=settings.graceful_timeout,
            specification_url=f"redis://{redis.endpoint}",
        )
        self._watch_metrics()

    async def start(self) -> None:
        """Wait for Redis, then listen for replies, start the consumers and the heartbeat.

        Raises StoreRefused for a Redis that can't be used.
        """
        interrupted = False
        while True:
            await self.store.start()
            try:
                if self.prepare is not None:
                    await self.prepare()
                await self.inbox.start()
                await self.outbox.start()
                await super().start()
                await self.heartbeat.start(self._served)
            except (*LOST, *FULL) as exc:
                if not interrupted:
                    log.warning("start interrupted", reason=str(exc))
                interrupted = True
                await super().stop()
                await asyncio.sleep(RECONNECT_DELAY)
            else:
                return

    async def stop(self, *exc_info: Any) -> None:
        """Accept no more messages, finish the accepted ones, flush, and disconnect."""
        await self.heartbeat.stop()
        await self.store.stop()
        await super().stop(*exc_info)
        await self.outbox.stop()
        await self.inbox.stop()
        await self.redis.drain()
        await self.redis.close()

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
        """Send a request and return its reply, waiting at most `timeout` seconds.

        Raises the ServiceError that the worker raised, or NoWorkers, Overloaded, Unavailable,
        StoreFull, DeadlineExceeded.
        """
        correlation_id = correlation_id or str(uuid4())
        transport = Transport.CHANNEL if channel else Transport.LIST if list else Transport.STREAM
        address = str(channel or list or stream)
        with self._calls.client_call(address, transport, correlation_id):
            try:
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
            except NoWorkers:
                # Heartbeats can't be written either, so all workers look dead.
                self.store.check_writable()
                raise

    def publish_soon(
        self,
        record: Message,
        *,
        stream: str | None = None,
        channel: str | None = None,
        maxlen: int | None = None,
        on_delivery: OnDelivery | None = None,
    ) -> None:
        """Publish a message out of band, as `Outbox.publish_soon` does."""
        self.outbox.publish_soon(
            record, stream=stream, channel=channel, maxlen=maxlen, on_delivery=on_delivery
        )

    def serve(self, method: Method[Any, Any], handler: Handler) -> None:
        """Answer requests for `method` with `handler`, on every transport."""
        self._consume_control()
        self._served += [method.address(transport) for transport in Transport]
        handle = validating(method.request, handler)
        self._consume_channel(method.address(Transport.CHANNEL), handle)
        self._consume_list(method.address(Transport.LIST), handle)
        handle = limited(handle, max_deliveries=self.settings.max_deliveries)
        self._consume_stream(method.address(Transport.STREAM), handle, self.capacity)

    def consume(
        self,
        stream: str,
        model: type[Message],
        handler: Handler,
        capacity: Capacity,
        *,
        give_up: GiveUp,
        take_next: TakeNext,
        versions: frozenset[int],
    ) -> None:
        """Handle each entry of `stream` on one worker, at most `capacity` entries at once here.

        `give_up`, `take_next` and `versions` are those of `StreamConsumer`.
        Entries are durable: they wait in the stream while Redis refuses writes.
        """
        self._consume_control()
        self.store.pauses(capacity)
        self._served.append(stream)
        handle = validating(model, handler)
        hooks: dict[str, Any] = {"give_up": give_up, "take_next": take_next, "versions": versions}
        self._consume_stream(stream, handle, capacity, **hooks)

    def follow(
        self,
        stream: str,
        model: type[Message],
        handler: Handler,
        *,
        on_gap: Callable[[], None],
    ) -> None:
        """Handle every entry that is added to `stream` from the start on, in order.

        Calls `on_gap` when entries were trimmed before they could be read.
        """
        reader = StreamReader(stream, self.redis, on_gap=on_gap)
        self.attach_directly(reader, validating(model, handler))

    def on_control(self, kind: type[ControlT], handle: Callable[[ControlT], None]) -> None:
        """Have control messages of one kind handled, where this process serves anything."""
        self._on_control[kind] = handle

    def _consume_control(self) -> None:
        if CONTROL in self._served:
            return
        self._served.append(CONTROL)

        async def on_control(control: Control, message: RedisMessage) -> None:
            if (handle := self._on_control.get(type(control.root))) is not None:
                handle(control.root)

        self._consume_channel(CONTROL, validating(Control, on_control))

    def _consume_channel(self, channel: str, handle: Handle) -> None:
        consumer = ChannelConsumer(
            channel,
            own_channel(channel, self.worker),
            self.capacity,
            self.redis,
            graceful_timeout=self.settings.graceful_timeout,
        )
        self.attach(consumer, handle)

    def _consume_list(self, address: str, handle: Handle) -> None:
        consumer = ListConsumer(
            address,
            self.capacity,
            self.redis,
            graceful_timeout=self.settings.graceful_timeout,
        )
        self.attach(consumer, handle)

    def _consume_stream(
        self,
        stream: str,
        handle: Handle,
        capacity: Capacity,
        **hooks: Any,
    ) -> None:
        consumer = StreamConsumer(
            stream,
            GROUP,
            self.worker,
            capacity,
            self.heartbeat,
            redis=self.redis,
            graceful_timeout=self.settings.graceful_timeout,
            max_deliveries=self.settings.max_deliveries,
            unknown_version_wait=self.settings.unknown_version_wait,
            **hooks,
        )
        self.attach(consumer, handle)

    def _watch_metrics(self) -> None:
        watch, inbox, outbox = self.metrics.watch, self.inbox, self.outbox
        watch("darkroom_calls_waiting", "Calls that wait for a reply.", lambda: inbox.outstanding)
        watch("darkroom_inbox_listening", "1 while replies are received.", lambda: inbox.listening)
        watch(
            "darkroom_clock_skew_seconds",
            "Seconds by which the clock of this host is ahead of Redis's.",
            lambda: self.clock.skew,
        )
        watch("darkroom_room_taken", "Calls that are being handled.", lambda: self.capacity.taken)
        watch(
            "darkroom_outbox_failures",
            "Usage records and cancellations that were not sent.",
            lambda: outbox.failures,
        )
