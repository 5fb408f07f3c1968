"""What became of a call: a log line, an observation and a span on each side, and a usage record."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import structlog
from faststream import BaseMiddleware
from faststream.message import StreamMessage
from faststream.message.source_type import SourceType
from faststream.types import AsyncFuncAny

from contracts.errors import Code, Failure, ServiceError
from contracts.methods import Transport
from contracts.usage import USAGE, Usage
from services.runtime.dropping import Dropped
from services.runtime.metrics import Metrics
from services.runtime.outbox import Outbox
from services.runtime.tracing import client_span, server_span

log = structlog.get_logger(__name__)

_USAGE_KEPT = 100_000


class Calls:
    """Tells of the calls that a process makes and answers."""

    def __init__(self, worker: str, metrics: Metrics, outbox: Outbox) -> None:
        self._worker = worker
        self._metrics = metrics
        self._outbox = outbox

    @contextmanager
    def made(self, address: str, correlation_id: str) -> Iterator[None]:
        """A call that is made within this; how it went is how this is left."""
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            with client_span(_method(address)):
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
            self._tell("called", "client", address, outcome, seconds, correlation_id)

    def answered(self, address: str, outcome: str, seconds: float, correlation_id: str) -> None:
        """A request was answered, or was lost."""
        self._tell("answered", "server", address, outcome, seconds, correlation_id)
        record = Usage(
            method=_method(address),
            transport=_transport(address),
            outcome=outcome,
            worker=self._worker,
            seconds=seconds,
            at=datetime.now(UTC),
        )
        self._outbox.publish_soon(record, stream=USAGE, maxlen=_USAGE_KEPT)

    def dropped(self, reason: str, correlation_id: str) -> None:
        """A request was let go without an answer."""
        self._metrics.dropped.labels(reason).inc()
        log.debug("dropped", reason=reason, correlation_id=correlation_id)

    def _tell(
        self,
        event: str,
        side: str,
        address: str,
        outcome: str,
        seconds: float,
        correlation_id: str,
    ) -> None:
        method, transport = _method(address), _transport(address)
        self._metrics.calls.labels(side, method, transport, outcome).observe(seconds)
        log.info(
            event,
            method=method,
            transport=transport.value,
            outcome=outcome,
            ms=round(seconds * 1000, 2),
            correlation_id=correlation_id,
        )


class CallMiddleware(BaseMiddleware[Any, Any]):
    """Sees each request that a worker handles from its coming to its answer's going.

    The outermost middleware, so that whatever the others do is seen from here.
    """

    def __init__(self, msg: Any, /, *, context: Any, calls: Calls) -> None:
        super().__init__(msg, context=context)
        self._calls = calls
        self._started = time.perf_counter()
        self._request: StreamMessage[Any] | None = None
        self._outcome = "lost"

    @classmethod
    def of(cls, calls: Calls) -> Callable[..., "CallMiddleware"]:
        """The middleware of one process."""
        return lambda msg, /, *, context: cls(msg, context=context, calls=calls)

    async def consume_scope(self, call_next: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
        """Handle a request within the trace that it belongs to."""
        if msg.source_type is SourceType.RESPONSE or not msg.reply_to:
            return await call_next(msg)
        self._request = msg
        with server_span(_method(msg.raw_message["channel"]), msg.headers):
            return await call_next(msg)

    async def publish_scope(self, call_next: AsyncFuncAny, cmd: Any) -> Any:
        """See a reply off."""
        sent = await call_next(cmd)
        self._outcome = cmd.body.code if isinstance(cmd.body, Failure) else "ok"
        return sent

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> bool | None:
        """Tell of a request that has been dealt with."""
        request = self._request
        if request is None:
            return False
        if isinstance(exc_val, Dropped):
            self._calls.dropped(exc_val.reason, request.correlation_id)
        else:
            seconds = time.perf_counter() - self._started
            address = request.raw_message["channel"]
            self._calls.answered(address, self._outcome, seconds, request.correlation_id)
        return False


def _method(address: str) -> str:
    return address.partition(":")[0]


def _transport(address: str) -> Transport:
    return Transport(address.partition(":")[2] or Transport.CHANNEL)
