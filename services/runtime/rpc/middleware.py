"""The one FastStream middleware of a process: around every handler and around every reply.

One and not five, as each middleware costs a message about 50 microseconds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from faststream import BaseMiddleware
from faststream.exceptions import IgnoredException
from faststream.message import SourceType, StreamMessage
from faststream.redis import RedisMessage
from faststream.types import AsyncFuncAny
from pydantic import BaseModel, ValidationError

from contracts.errors import DeadlineExceeded, Failure, InvalidRequest, WorkerCrashed
from services.runtime.faststream_adapter.message import address_of, deliveries_of, from_channel
from services.runtime.faststream_adapter.subscriber import Handle
from services.runtime.liveness.server_clock import Clock
from services.runtime.rpc.addresses import is_own_channel, method_of
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.rpc.claims import Claims
from services.runtime.rpc.deadlines import deadline_scope, remaining
from services.runtime.rpc.discarded import Discarded
from services.runtime.rpc.failures import OUTCOME, WORKER, failure_reply, raise_failure
from services.runtime.rpc.instrumentation import CallInstrumentation
from services.runtime.telemetry.tracing import continued_span

ResultT = TypeVar("ResultT")

Handler = Callable[[Any, RedisMessage], Awaitable[Any]]
"""Function from a contract and FastStream's message to a RedisResponse or None."""


@dataclass(frozen=True)
class ServingContext:
    """The collaborators of the serving middleware."""

    worker: str
    calls: CallInstrumentation
    cancellations: Cancellations
    clock: Clock
    claims: Claims
    send_reply: Callable[[Any], Awaitable[None]]


def validating(model: type[BaseModel], handler: Handler) -> Handle:
    """Return `handler` as FastStream calls it: with the message alone.

    Each call validates the body once, by `model`, and raises InvalidRequest for a wrong one.
    FastStream's own dependency injection would take half of the time of a small call.
    """

    async def handle(message: RedisMessage) -> Any:
        try:
            request = model.model_validate_json(message.body)
        except ValidationError as exc:
            raise InvalidRequest(
                f"The request is not a {model.__name__}: {exc.error_count()} fields are wrong."
            ) from exc
        return await handler(request, message)

    return handle


def limited(handle: Handle, *, max_deliveries: int) -> Handle:
    """Return `handle` for a stream: it fails a request that has ended too many workers.

    Such a request raises WorkerCrashed and is not handled again.
    """

    async def handle_limited(message: RedisMessage) -> Any:
        deliveries = deliveries_of(message)
        if deliveries > max_deliveries:
            raise WorkerCrashed(f"Given up: {deliveries - 1} workers took it and ended.")
        return await handle(message)

    return handle_limited


class ServingMiddleware(BaseMiddleware[Any, Any]):
    """Applies deadline, cancellation, claim and failure to a request, and records its end.

    FastStream makes one object for each message.
    """

    def __init__(self, msg: Any, /, *, context: Any, serving: ServingContext) -> None:
        super().__init__(msg, context=context)
        self._serving = serving
        self._started = time.perf_counter()
        self._request: StreamMessage[Any] | None = None
        self._outcome = "lost"

    @classmethod
    def of(cls, serving: ServingContext) -> Callable[..., "ServingMiddleware"]:
        """Return the middleware of one process, as FastStream's broker takes it."""
        return lambda msg, /, *, context: cls(msg, context=context, serving=serving)

    async def consume_scope(self, call_next: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
        """Handle a request and return its reply, or raise the failure that a reply holds.

        Every exception of a handler becomes a reply, but for Discarded.
        """
        if msg.source_type is SourceType.RESPONSE:
            raise_failure(msg)
            return await call_next(msg)
        if not msg.reply_to:
            return await call_next(msg)
        self._request = msg
        serving = self._serving
        address = address_of(msg)
        try:
            serving.cancellations.check(msg.reply_to)
            with (
                continued_span(method_of(address), msg.headers),
                deadline_scope(msg, serving.clock),
            ):
                if from_channel(msg) and not is_own_channel(address):
                    await serving.claims.claim(msg.reply_to)
                return await serving.cancellations.run(msg.reply_to, _in_time(call_next(msg)))
        except IgnoredException:
            raise
        except Exception as exc:
            return failure_reply(exc, msg.correlation_id)

    async def publish_scope(self, call_next: AsyncFuncAny, cmd: Any) -> Any:
        """Send a reply with its outcome and worker; a reply that can't be encoded is a failure."""
        if self._request is None:
            return await call_next(cmd)
        cmd.headers = {OUTCOME: "ok", WORKER: self._serving.worker, **cmd.headers}
        try:
            await self._serving.send_reply(cmd)
        except Exception as exc:
            instead = failure_reply(exc, self._request.correlation_id)
            cmd.body, cmd.correlation_id = instead.body, self._request.correlation_id
            cmd.headers = {WORKER: self._serving.worker, **instead.headers}
            await self._serving.send_reply(cmd)
        self._outcome = cmd.body.code if isinstance(cmd.body, Failure) else "ok"
        return None

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> bool | None:
        """Record the end of a request."""
        request = self._request
        if request is None:
            return False
        if isinstance(exc_val, Discarded):
            self._serving.calls.discarded(exc_val.reason, request.correlation_id)
        else:
            self._serving.calls.answered(
                address_of(request),
                self._outcome,
                time.perf_counter() - self._started,
                request.correlation_id,
            )
        return False


async def _in_time(work: Awaitable[ResultT]) -> ResultT:
    """Await `work` until the deadline; raise DeadlineExceeded there and cancel the work."""
    try:
        async with asyncio.timeout(remaining()) as limit:
            return await work
    except TimeoutError as exc:
        if not limit.expired():
            # The handler's own.
            raise
        raise DeadlineExceeded("The work took longer than its deadline allows.") from exc
