"""FastStream's middleware of a process, and the wrappers of its handlers.

One and not five, as each middleware costs a message about 50 microseconds. It works only beside
middlewares that others have added: without them a request is served by `Serving` alone.
"""

import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from faststream import BaseMiddleware
from faststream.message import SourceType, StreamMessage
from faststream.redis import RedisMessage
from faststream.types import AsyncFuncAny
from pydantic import BaseModel, ValidationError

from contracts.errors import InvalidRequest, WorkerCrashed
from services.runtime.faststream_adapter.message import deliveries_of
from services.runtime.faststream_adapter.subscriber import Handle
from services.runtime.rpc.discarded import Discarded
from services.runtime.rpc.failures import failure_reply, raise_failure
from services.runtime.rpc.serving import LOST, Serving, outcome_of

Handler = Callable[[Any, RedisMessage], Awaitable[Any]]
"""Function from a contract and FastStream's message to a RedisResponse or None."""


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
    """Calls `Serving` at FastStream's stages. FastStream makes one for each message."""

    def __init__(self, msg: Any, /, *, context: Any, serving: Serving) -> None:
        super().__init__(msg, context=context)
        self._serving = serving
        self._started = time.perf_counter()
        self._request: StreamMessage[Any] | None = None
        self._outcome = LOST

    @classmethod
    def of(cls, serving: Serving) -> Callable[..., "ServingMiddleware"]:
        """Return the middleware of one process, as FastStream's broker takes it."""
        return lambda msg, /, *, context: cls(msg, context=context, serving=serving)

    async def consume_scope(self, call_next: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
        """Handle a request and return its reply, or raise the failure that a reply holds."""
        if msg.source_type is SourceType.RESPONSE:
            raise_failure(msg)
            return await call_next(msg)
        if not msg.reply_to:
            return await call_next(msg)
        self._request = msg
        return await self._serving.respond(msg, call_next)

    async def publish_scope(self, call_next: AsyncFuncAny, cmd: Any) -> Any:
        """Send a reply with its outcome and worker; a reply that can't be sent is a failure."""
        if self._request is None:
            return await call_next(cmd)
        cmd.headers = self._serving.headers_of(cmd)
        try:
            await call_next(cmd)
        except Exception as exc:
            instead = failure_reply(exc, self._request.correlation_id)
            cmd.body, cmd.correlation_id = instead.body, instead.correlation_id
            cmd.headers = self._serving.headers_of(instead)
            await call_next(cmd)
        self._outcome = outcome_of(cmd)
        return None

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> bool | None:
        """Record the end of a request."""
        if self._request is not None:
            discarded = exc_val if isinstance(exc_val, Discarded) else None
            self._serving.record_end(self._request, self._started, self._outcome, discarded)
        return False
