"""A semaphore with four queues: for short and heavy work, of clients that wait and of jobs."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_IN_A_ROW = 8

_Permit = asyncio.Future[None]


class PrioritySemaphore:
    """Semaphore of `size` permits that serves urgent callers first, and keeps room for short work.

    With two permits or more, heavy work never has the last one, so short work never waits for
    heavy work alone; after eight short permits in a row, heavy work has its turn at the others.
    With one permit, heavy work gets it only when no short work waits.

    In each of the two kinds, after eight urgent callers in a row, one of the others is served, so
    that urgent calls alone never stop all jobs.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.heavy_size = max(1, size - 1)
        self.taken = 0
        self._heavy_taken = 0
        self._short = _Line()
        self._heavy = _Line()
        self._short_in_a_row = 0

    @asynccontextmanager
    async def acquire(self, *, urgent: bool, heavy: bool = False) -> AsyncIterator[None]:
        """Wait for a permit, and hold it within the context."""
        await self._wait(urgent=urgent, heavy=heavy)
        try:
            yield
        finally:
            self._release(heavy=heavy)

    async def _wait(self, *, urgent: bool, heavy: bool) -> None:
        # Where a permit is free, no short work waits.
        if self.taken < self.size and (not heavy or self._heavy_taken < self.heavy_size):
            self._count(heavy=heavy)
            return
        permit: _Permit = asyncio.get_running_loop().create_future()
        (self._heavy if heavy else self._short).add(permit, urgent=urgent)
        try:
            await permit
        except asyncio.CancelledError:
            # A future that is cancelled is skipped; a permit that was given must be returned.
            if not permit.cancelled():
                self._release(heavy=heavy)
            raise

    def _count(self, *, heavy: bool) -> None:
        self.taken += 1
        self._heavy_taken += heavy

    def _release(self, *, heavy: bool) -> None:
        """Take a permit back, and hand it to the next caller that may have it."""
        self.taken -= 1
        self._heavy_taken -= heavy
        for line in self._in_order():
            if (permit := line.next()) is not None:
                is_heavy = line is self._heavy
                self._short_in_a_row = 0 if is_heavy else self._short_in_a_row + 1
                self._count(heavy=is_heavy)
                permit.set_result(None)
                return

    def _in_order(self) -> "tuple[_Line, ...]":
        if self._heavy_taken >= self.heavy_size:
            return (self._short,)
        if self.size > 1 and self._short_in_a_row >= _IN_A_ROW:
            return self._heavy, self._short
        return self._short, self._heavy


class _Line:
    """Callers of one kind that wait: urgent ones and others."""

    def __init__(self) -> None:
        self._urgent = deque[_Permit]()
        self._others = deque[_Permit]()
        self._urgent_in_a_row = 0

    def add(self, permit: _Permit, *, urgent: bool) -> None:
        (self._urgent if urgent else self._others).append(permit)

    def next(self) -> _Permit | None:
        """Remove and return the permit of the next caller that still waits."""
        queues = self._urgent, self._others
        if self._urgent_in_a_row >= _IN_A_ROW:
            queues = self._others, self._urgent
        for queue in queues:
            while queue:
                permit = queue.popleft()
                if not permit.done():
                    is_urgent = queue is self._urgent
                    self._urgent_in_a_row = self._urgent_in_a_row + 1 if is_urgent else 0
                    return permit
        return None
