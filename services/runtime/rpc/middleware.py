"""What stands around every handler, and around every reply at its caller.

One FastStream middleware and not five: each one costs a message some fifty microseconds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from faststream import BaseMiddleware
from faststream.exceptions import IgnoredException
from faststream.message import StreamMessage
from faststream.message.source_type import SourceType
from faststream.redis import RedisMessage
from faststream.redis.message import RedisChannelMessage
from faststream.types import AsyncFuncAny
from pydantic import ValidationError

from contracts.errors import DeadlineExceeded, Failure, InvalidRequest
from contracts.message import Message
from services.runtime.liveness.server_clock import Clock
from services.runtime.rpc.addresses import is_own_channel, method_of
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.rpc.claims import Claims
from services.runtime.rpc.deadlines import keeping_deadline, remaining
from services.runtime.rpc.dropping import Dropped
from services.runtime.rpc.failures import OUTCOME, WORKER, failed, raise_failure
from services.runtime.rpc.instrumentation import CallInstrumentation
from services.runtime.telemetry.tracing import server_span

ResultT = TypeVar("ResultT")

Handler = Callable[[Any, RedisMessage], Awaitable[Any]]
"""A handler takes a contract and FastStream's message, and gives a RedisResponse or nothing."""


@dataclass(frozen=True)
class ServingContext:
    """What a process keeps to when it serves."""

    worker: str
    calls: CallInstrumentation
    cancellations: Cancellations
    clock: Clock
    claims: Claims
    reply: Callable[[Any], Awaitable[None]]


def taking(model: type[Message], handler: Handler) -> Callable[[RedisMessage], Awaitable[Any]]:
    """`handler` as FastStream calls it: the body is validated once, by its contract.

    FastStream's own dependency injection would take half of the time that a small call takes.
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


class ServingMiddleware(BaseMiddleware[Any, Any]):
    """Keeps a request to its caller, its deadline and its claim; its end is told and answered."""

    def __init__(self, msg: Any, /, *, context: Any, rules: ServingContext) -> None:
        super().__init__(msg, context=context)
        self._rules = rules
        self._started = time.perf_counter()
        self._request: StreamMessage[Any] | None = None
        self._outcome = "lost"

    @classmethod
    def of(cls, rules: ServingContext) -> Callable[..., "ServingMiddleware"]:
        """The middleware of one process."""
        return lambda msg, /, *, context: cls(msg, context=context, rules=rules)

    async def consume_scope(self, call_next: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
        """Handle a request, or take in a reply."""
        if msg.source_type is SourceType.RESPONSE:
            raise_failure(msg)
            return await call_next(msg)
        if not msg.reply_to:
            return await call_next(msg)
        self._request = msg
        rules = self._rules
        address = msg.raw_message["channel"]
        try:
            rules.cancellations.check(msg.reply_to)
            with (
                server_span(method_of(address), msg.headers),
                keeping_deadline(msg, rules.clock),
            ):
                if isinstance(msg, RedisChannelMessage) and not is_own_channel(address):
                    await rules.claims.claim(msg.reply_to)
                return await rules.cancellations.keep(msg.reply_to, _in_time(call_next(msg)))
        except IgnoredException:
            raise
        except Exception as exc:
            return failed(exc, msg.correlation_id)

    async def publish_scope(self, call_next: AsyncFuncAny, cmd: Any) -> Any:
        """Say of a reply how it went and whose it is; one that can't be encoded is a failure."""
        if self._request is None:
            return await call_next(cmd)
        cmd.headers = {OUTCOME: "ok", WORKER: self._rules.worker, **cmd.headers}
        try:
            await self._rules.reply(cmd)
        except Exception as exc:
            instead = failed(exc, self._request.correlation_id)
            cmd.body, cmd.correlation_id = instead.body, self._request.correlation_id
            cmd.headers = {WORKER: self._rules.worker, **instead.headers}
            await self._rules.reply(cmd)
        self._outcome = cmd.body.code if isinstance(cmd.body, Failure) else "ok"
        return None

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
            self._rules.calls.dropped(exc_val.reason, request.correlation_id)
        else:
            self._rules.calls.answered(
                request.raw_message["channel"],
                self._outcome,
                time.perf_counter() - self._started,
                request.correlation_id,
            )
        return False


async def _in_time(work: Awaitable[ResultT]) -> ResultT:
    """What `work` gives. Raises DeadlineExceeded, and stops it, when nobody waits any more."""
    try:
        async with asyncio.timeout(remaining()):
            return await work
    except TimeoutError as exc:
        if isinstance(exc, DeadlineExceeded):
            raise
        raise DeadlineExceeded("The work took longer than its deadline allows.") from exc
