"""A semaphore with two queues: calls that a client waits for go before calls for jobs."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_URGENT_IN_A_ROW = 8

_Queue = deque[asyncio.Future[None]]


class PrioritySemaphore:
    """Semaphore of `size` permits that serves urgent callers first.

    After eight urgent callers in a row, one of the others is served, so that urgent calls alone
    never stop all jobs.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0
        self._urgent: _Queue = deque()
        self._others: _Queue = deque()
        self._urgent_in_a_row = 0

    @asynccontextmanager
    async def acquire(self, *, urgent: bool) -> AsyncIterator[None]:
        """Wait for a permit, and hold it within the context."""
        await self._wait(self._urgent if urgent else self._others)
        try:
            yield
        finally:
            self._release()

    async def _wait(self, queue: _Queue) -> None:
        if self.taken < self.size:
            self.taken += 1
            return
        permit: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(permit)
        try:
            await permit
        except asyncio.CancelledError:
            # `_release` skips a future that is cancelled; a permit that was given must be returned.
            if not permit.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        """Hand the permit to the next caller, or free it."""
        for queue in self._in_order():
            while queue:
                permit = queue.popleft()
                if not permit.done():
                    urgent = queue is self._urgent
                    self._urgent_in_a_row = self._urgent_in_a_row + 1 if urgent else 0
                    permit.set_result(None)
                    return
        self.taken -= 1

    def _in_order(self) -> tuple[_Queue, _Queue]:
        if self._urgent_in_a_row < _URGENT_IN_A_ROW:
            return self._urgent, self._others
        return self._others, self._urgent
