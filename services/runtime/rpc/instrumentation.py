"""Log line and metric of each call on both sides, and the usage record of an answered one."""

import time
from datetime import UTC, datetime

import structlog

from contracts.errors import Code, ServiceError
from contracts.methods import Transport
from contracts.usage import USAGE, Usage
from services.runtime.capacity import Capacity
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.outbox import Outbox
from services.runtime.rpc.addresses import method_of, transport_of
from services.runtime.rpc.reply_inbox import ReplyInbox
from services.runtime.rpc.sender import NotSent
from services.runtime.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_MAX_USAGE_RECORDS = 100_000


class CallInstrumentation:
    """Records the calls that a process makes and answers."""

    def __init__(self, worker: str, metrics: Metrics, outbox: Outbox) -> None:
        self._worker = worker
        self._metrics = metrics
        self._outbox = outbox

    def called(
        self,
        address: str,
        transport: Transport,
        started: float,
        error: BaseException | None,
        correlation_id: str,
    ) -> None:
        """Record a call that was made at the moment `started` and ended with `error`, if any."""
        match error:
            case None:
                outcome = "ok"
            case NotSent():
                return
            case ServiceError():
                outcome = error.code
            case Exception():
                outcome = Code.INTERNAL
            case _:
                outcome = "cancelled"
        seconds = time.perf_counter() - started
        self._record("called", "client", address, transport, outcome, seconds, correlation_id)

    def answered(self, address: str, outcome: str, seconds: float, correlation_id: str) -> None:
        """Record a request that was answered, or whose handling was cut off ("lost")."""
        transport = transport_of(address)
        if outcome == Code.INTERNAL:
            self._metrics.internal_errors.inc()
        self._record("answered", "server", address, transport, outcome, seconds, correlation_id)
        # Every value comes from this process, so validating them would be wasted time.
        record = Usage.model_construct(
            method=method_of(address),
            transport=transport,
            outcome=outcome,
            worker=self._worker,
            seconds=seconds,
            at=datetime.now(UTC),
        )
        self._outbox.publish_soon(record, stream=USAGE, maxlen=_MAX_USAGE_RECORDS)

    def discarded(self, reason: str, correlation_id: str) -> None:
        """Record a request that ended without a reply, on purpose."""
        self._metrics.dropped.labels(reason).inc()
        log.debug("discarded", reason=reason, correlation_id=correlation_id)

    def _record(
        self,
        event: str,
        side: str,
        address: str,
        transport: Transport,
        outcome: str,
        seconds: float,
        correlation_id: str,
    ) -> None:
        method = method_of(address)
        self._metrics.observe_call(side, method, transport, outcome, seconds)
        log.info(
            event,
            method=method,
            transport=transport,
            outcome=outcome,
            ms=round(seconds * 1000, 2),
            correlation_id=correlation_id,
        )


def watch_process(
    metrics: Metrics, inbox: ReplyInbox, outbox: Outbox, clock: Clock, capacity: Capacity
) -> None:
    """Add the gauges of the parts that a broker is made of."""
    watch = metrics.watch
    watch("darkroom_calls_waiting", "Calls that wait for a reply.", lambda: inbox.outstanding)
    watch("darkroom_inbox_listening", "1 while replies are received.", lambda: inbox.listening)
    watch(
        "darkroom_clock_skew_seconds",
        "Seconds by which the clock of this host is ahead of Redis's.",
        lambda: clock.skew,
    )
    watch("darkroom_room_taken", "Calls that are being handled.", lambda: capacity.taken)
    watch(
        "darkroom_outbox_failures",
        "Usage records and cancellations that were not sent.",
        lambda: outbox.failures,
    )
