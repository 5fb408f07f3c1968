"""Nobody works for a caller who has left: running work is stopped, waiting work never starts."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from faststream import BaseMiddleware
from faststream.message import StreamMessage
from faststream.message.source_type import SourceType
from faststream.types import AsyncFuncAny

from contracts.control import Cancel
from services.runtime.dropping import Cancelled

_REMEMBERED = 10_000


class Cancellations:
    """What a worker knows of requests by their reply channel: those it runs, those to leave be."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Any]] = {}
        # Every worker hears of every cancelled request, and most never meet it: only the last
        # ones are remembered, which is enough for what waits in a list or a stream.
        self._left: OrderedDict[str, None] = OrderedDict()

    async def hear(self, cancel: Cancel) -> None:
        """Stop the request, or leave it be when it comes."""
        self._left[cancel.reply_to] = None
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        task = self._running.get(cancel.reply_to)
        if task is not None:
            task.cancel()

    async def run(self, reply_to: str, work: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
        """`work(msg)`, for as long as its caller waits. Raises Cancelled when it doesn't."""
        if reply_to in self._left:
            raise Cancelled
        task = asyncio.current_task()
        assert task is not None
        self._running[reply_to] = task
        try:
            return await work(msg)
        except asyncio.CancelledError:
            if reply_to not in self._left:
                raise
            task.uncancel()
            raise Cancelled from None
        finally:
            del self._running[reply_to]


class CancelMiddleware(BaseMiddleware[Any, Any]):
    """Handles a request for as long as its caller waits for it."""

    def __init__(self, msg: Any, /, *, context: Any, cancellations: Cancellations) -> None:
        super().__init__(msg, context=context)
        self._cancellations = cancellations

    @classmethod
    def of(cls, cancellations: Cancellations) -> Callable[..., "CancelMiddleware"]:
        """The middleware of one worker."""
        return lambda msg, /, *, context: cls(msg, context=context, cancellations=cancellations)

    async def consume_scope(self, call_next: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
        """Handle `msg` unless, or until, its caller leaves."""
        if msg.source_type is SourceType.RESPONSE or not msg.reply_to:
            return await call_next(msg)
        return await self._cancellations.run(msg.reply_to, call_next, msg)
