"""The broker of a process: its calls, its served methods and its consumers, put together."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import structlog
from faststream.redis.message import RedisChannelMessage
from opentelemetry.trace import SpanKind

from contracts.control import CONTROL, Cancel
from contracts.errors import NoWorkers
from contracts.message import Message
from contracts.methods import Method, Transport
from services.runtime.capacity import Capacity
from services.runtime.faststream_adapter.broker import AdaptedBroker
from services.runtime.faststream_adapter.producer import destination_of
from services.runtime.faststream_adapter.subscriber import Handle
from services.runtime.liveness.heartbeat import Heartbeat, Report, new_worker_name
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.consumer import Consumer, Deliver
from services.runtime.messaging.destination import Destination, Search
from services.runtime.messaging.envelope import new_correlation_id
from services.runtime.messaging.outbox import OnDelivery, Outbox
from services.runtime.messaging.stream_consumer import GiveUp, HasLeft, TakeNext
from services.runtime.messaging.stream_reader import StreamReader
from services.runtime.redis.client import RECONNECT_DELAY, RedisClient
from services.runtime.redis.replies import FULL, LOST
from services.runtime.redis.watch import OnRefused, StoreWatch, raise_refused
from services.runtime.rpc.addresses import method_of
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.rpc.claims import Claims
from services.runtime.rpc.consumers import Consumers
from services.runtime.rpc.control import ControlHandlers
from services.runtime.rpc.failures import raise_failure
from services.runtime.rpc.instrumentation import CallInstrumentation, watch_process
from services.runtime.rpc.middleware import Handler, ServingMiddleware, limited, validating
from services.runtime.rpc.reply_inbox import ReplyInbox
from services.runtime.rpc.sender import MessageSender, NotSent
from services.runtime.rpc.serving import Serving, is_quiet
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry.metrics import Metrics
from services.runtime.telemetry.tracing import inner_span

log = structlog.get_logger(__name__)

ControlT = TypeVar("ControlT", bound=Message)


class Broker(AdaptedBroker):
    """FastStream's RedisBroker with typed methods, one reply inbox and consumers that reconnect.

    `capacity` is the room for requests that this process handles at once, of one by default,
    beside `lendable` ones that don't count in it (`Capacity.lent`). A request of its own waits
    `patience` seconds for a place in a full queue. `report` returns the fields that the heartbeat
    adds to the host, the process and its versions. `on_refused` is called by `start` for a Redis
    that can't be used.
    """

    def __init__(
        self,
        redis: RedisClient,
        settings: RuntimeSettings,
        *,
        capacity: Capacity | None = None,
        lendable: int = 0,
        patience: float = 0.0,
        report: Callable[[], Report] = dict,
        clock: Clock | None = None,
        on_refused: OnRefused = raise_refused,
    ) -> None:
        self.redis = redis
        self.settings = settings
        self.worker = new_worker_name()
        self.capacity = capacity or Capacity(1)
        self.metrics = Metrics()
        self.inbox = ReplyInbox(redis)
        self.outbox = Outbox(redis)
        self.clock = clock or Clock()
        allow_volatile = settings.allow_volatile
        self.store = StoreWatch(
            redis, self.metrics, allow_volatile=allow_volatile, on_refused=on_refused
        )
        self._calls = CallInstrumentation(self.worker, self.metrics, self.outbox)
        self.cancellations = Cancellations()
        self._serving = Serving(
            worker=self.worker,
            calls=self._calls,
            cancellations=self.cancellations,
            clock=self.clock,
            claims=Claims(redis, self.worker),
            send_reply=self.reply,
            encode_reply=self.encoded_reply,
            may_carry=lambda: is_quiet(self.capacity) and not self.has_other_middlewares,
        )
        # Callers are refused when a queue has four times the reported capacity. Lent messages are
        # still in the queue, and must not take the places of others.
        reported = self.capacity.size + -(-lendable // 4)
        self.heartbeat = Heartbeat(
            redis, self.worker, settings, self.clock, capacity=reported, report=report
        )
        self.carry = self._serving.carry
        self._served: list[str] = []
        self._consumers = Consumers(redis, settings, self.worker, self.heartbeat)
        self._control = ControlHandlers()
        self.on_control(Cancel, self.cancellations.cancel)
        self.prepare: Callable[[], Awaitable[None]] | None = None
        """Called when Redis answers, before anything is consumed; again if Redis is lost then."""
        super().__init__(
            redis,
            MessageSender(redis, self.inbox, self.outbox, self.clock, patience=patience),
            middleware=ServingMiddleware.of(self._serving),
            graceful_timeout=settings.graceful_timeout,
            specification_url=f"redis://{redis.endpoint}",
        )
        watch_process(self.metrics, self.inbox, self.outbox, self.clock, self.capacity)

    async def start(self) -> None:
        """Wait for Redis, then listen for replies, start the consumers and the heartbeat.

        Raises StoreRefused for a Redis that can't be used.
        """
        interrupted = was_away = False
        while True:
            was_away |= await self.store.start()
            try:
                if self.prepare is not None:
                    await self.prepare()
                # FastStream's producer gets its serializer here; once the inbox listens, the server
                # that is up already may call.
                await self.connect()
                await self.inbox.start()
                await self.outbox.start()
                await super().start()
                await self.heartbeat.start(self._served, after_outage=was_away or interrupted)
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
        search: Search | None = None,
    ) -> RedisChannelMessage:
        """Send a request and return its reply, waiting at most `timeout` seconds.

        Raises the ServiceError that the worker raised, or NoWorkers, Overloaded, Unavailable,
        StoreFull, DeadlineExceeded; SetupError unless one address is given.

        A request with a `search` is sent to a list or a stream by the script of that search. Raises
        NotSent if the request was needless, or can't be sent in this way.
        """
        correlation_id = correlation_id or new_correlation_id()
        to = destination_of(channel, list, stream, maxlen)
        if search is not None:
            to = Destination(to.transport, to.address, to.maxlen, search)
        started = time.perf_counter()
        error: BaseException | None = None
        try:
            with inner_span(method_of(to.address), SpanKind.CLIENT):
                try:
                    return await self._call(to, message, correlation_id, headers, timeout)
                except NotSent as exc:
                    not_sent = exc
            # Raised outside of the span: that a request was needless is no error.
            raise not_sent
        except BaseException as exc:
            error = exc
            raise
        finally:
            self._calls.called(to.address, to.transport, started, error, correlation_id)

    async def _call(
        self,
        to: Destination,
        message: Any,
        correlation_id: str,
        headers: dict[str, Any] | None,
        timeout: float | None,
    ) -> RedisChannelMessage:
        options: dict[str, Any] = {
            "correlation_id": correlation_id,
            "headers": headers,
            "timeout": timeout,
        }
        try:
            if self.has_other_middlewares:
                if to.search is not None:
                    raise NotSent
                options |= {to.transport.value: to.address, "maxlen": to.maxlen}
                return await super().request(message, **options)
            reply = await self.request_directly(to, message, **options)
        except NoWorkers:
            # Heartbeats can't be written either, so all workers look dead.
            self.store.check_writable()
            raise
        raise_failure(reply)
        return reply

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
        make, capacity = self._consumers, self.capacity
        self._attach(make.of_channel(method.address(Transport.CHANNEL), capacity), handle)
        self._attach(make.of_list(method.address(Transport.LIST), capacity), handle)
        handle = limited(handle, max_deliveries=self.settings.max_deliveries)
        stream = method.address(Transport.STREAM)
        self._attach(make.of_stream(stream, capacity, has_left=self._serving.has_left), handle)

    def consume(
        self,
        stream: str,
        model: type[Message],
        handler: Handler,
        capacity: Capacity,
        *,
        give_up: GiveUp,
        take_next: TakeNext,
        has_left: HasLeft,
        versions: frozenset[int],
    ) -> None:
        """Handle each entry of `stream` on one worker, at most `capacity` entries at once here.

        The hooks and `versions` are `StreamConsumer`'s. Entries wait while Redis refuses writes.
        """
        self._consume_control()
        self.store.pauses(capacity)
        self._served.append(stream)
        hooks: dict[str, Any] = {"give_up": give_up, "take_next": take_next, "has_left": has_left}
        consumer = self._consumers.of_stream(stream, capacity, versions=versions, **hooks)
        self._attach(consumer, validating(model, handler))

    def follow(
        self,
        stream: str,
        deliver: Deliver,
        *,
        on_gap: Callable[[], None],
    ) -> None:
        """Call `deliver` for every entry that is added to `stream` from the start on, in order.

        Calls `on_gap` when entries were trimmed before they could be read, or were lost.
        """
        reader = StreamReader(stream, self.redis, on_gap=on_gap)
        self.attach_directly(reader, deliver)

    def on_control(self, kind: type[ControlT], handle: Callable[[ControlT], None]) -> None:
        """Have control messages of one kind handled, where this process serves anything."""
        self._control.add(kind, handle)

    def _consume_control(self) -> None:
        if CONTROL in self._served:
            return
        self._served.append(CONTROL)
        self._attach(self._consumers.of_channel(CONTROL, self.capacity), self._control.handle)

    def _attach(self, consumer: Consumer, handle: Handle) -> None:
        self.attach(consumer, handle, partial(self._serving.serve, handle=handle))
