"""Nobody works for a caller who has left: running work is stopped, waiting work never starts."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable
from typing import TypeVar

from contracts.control import Cancel
from services.runtime.rpc.dropping import Cancelled

ResultT = TypeVar("ResultT")

_REMEMBERED = 10_000


class Cancellations:
    """What a worker knows of requests by their reply channel: those it runs, those to leave be."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[object]] = {}
        # Every worker hears of every cancelled request, and most never meet it: only the last
        # ones are remembered, which is enough for what waits in a list or a stream.
        self._left: OrderedDict[str, None] = OrderedDict()

    def hear(self, cancel: Cancel) -> None:
        """Stop the request, or leave it be when it comes."""
        self._left[cancel.subject] = None
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        task = self._running.get(cancel.subject)
        if task is not None:
            task.cancel()

    def check(self, reply_to: str) -> None:
        """Raise Cancelled if nobody waits there any more."""
        if reply_to in self._left:
            raise Cancelled

    async def keep(self, reply_to: str, work: Awaitable[ResultT]) -> ResultT:
        """What `work` gives, for as long as its caller waits. Raises Cancelled when it doesn't."""
        task = asyncio.current_task()
        assert task is not None
        self._running[reply_to] = task
        try:
            return await work
        except asyncio.CancelledError:
            if reply_to not in self._left:
                raise
            task.uncancel()
            raise Cancelled from None
        finally:
            # A request that was sent twice has the second task there by now.
            if self._running.get(reply_to) is task:
                del self._running[reply_to]
