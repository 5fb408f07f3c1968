"""Log line, metric and span of each call on both sides, and the usage record of an answered one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from opentelemetry.trace import SpanKind

from contracts.errors import Code, ServiceError
from contracts.methods import Transport
from contracts.usage import USAGE, Usage
from services.runtime.messaging.outbox import Outbox
from services.runtime.rpc.addresses import method_of, transport_of
from services.runtime.telemetry.metrics import Metrics
from services.runtime.telemetry.tracing import inner_span

log = structlog.get_logger(__name__)

_MAX_USAGE_RECORDS = 100_000


class CallInstrumentation:
    """Records the calls that a process makes and answers."""

    def __init__(self, worker: str, metrics: Metrics, outbox: Outbox) -> None:
        self._worker = worker
        self._metrics = metrics
        self._outbox = outbox

    @contextmanager
    def client_call(
        self, address: str, transport: Transport, correlation_id: str
    ) -> Iterator[None]:
        """Record the call that is made within this context.

        The outcome is the code of the exception that leaves the context, or "ok".
        """
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            with inner_span(method_of(address), SpanKind.CLIENT):
                yield
            outcome = "ok"
        except ServiceError as exc:
            outcome = exc.code
            raise
        except Exception:
            outcome = Code.INTERNAL
            raise
        finally:
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
        self._metrics.observe_call(side, method, transport.value, outcome, seconds)
        log.info(
            event,
            method=method,
            transport=transport.value,
            outcome=outcome,
            ms=round(seconds * 1000, 2),
            correlation_id=correlation_id,
        )
