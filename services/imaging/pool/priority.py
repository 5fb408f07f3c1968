"""A semaphore with four queues: for short and heavy work, of clients that wait and of jobs."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

_IN_A_ROW = 8
_OVERTAKING = 0.25  # seconds from the first permit of a row to the last that overtakes others


@dataclass(frozen=True)
class _Row:
    """Permits that callers with the same source have had one after another."""

    source: str
    length: int
    ends: float
    """The moment of the event loop from which on the row overtakes nobody."""


_Permit = asyncio.Future[_Row]


class PrioritySemaphore:
    """Semaphore of `size` permits that serves urgent callers first, and keeps room for short work.

    With two permits or more, heavy work never has the last one, so short work never waits for
    heavy work alone; after eight short permits in a row, heavy work has its turn at the others.
    With one permit, heavy work gets it only when no short work waits.

    In each of the two kinds, after eight urgent callers in a row, one of the others is served, so
    that urgent calls alone never stop all jobs.

    A permit that is returned goes to a caller with the same source if one waits, before others of
    the same urgency: the source is decoded already. Such a row overtakes others for a quarter of a
    second, and has eight permits at most.
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
    async def acquire(
        self, *, urgent: bool, heavy: bool = False, source: str = ""
    ) -> AsyncIterator[None]:
        """Wait for a permit, and hold it within the context. `source` is empty for none."""
        row = await self._wait(source, urgent=urgent, heavy=heavy)
        try:
            yield
        finally:
            self._release(row, heavy=heavy)

    async def _wait(self, source: str, *, urgent: bool, heavy: bool) -> _Row:
        # No short work waits while a permit is free.
        if self.taken < self.size and (not heavy or self._heavy_taken < self.heavy_size):
            self._count(heavy=heavy)
            return _first_of(source)
        permit: _Permit = asyncio.get_running_loop().create_future()
        (self._heavy if heavy else self._short).add(permit, source, urgent=urgent)
        try:
            return await permit
        except asyncio.CancelledError:
            # A future that is cancelled is skipped; a permit that was given must be returned.
            if not permit.cancelled():
                self._release(permit.result(), heavy=heavy)
            raise

    def _count(self, *, heavy: bool) -> None:
        self.taken += 1
        self._heavy_taken += heavy

    def _release(self, row: _Row, *, heavy: bool) -> None:
        """Return a permit, and hand it to the next caller: one of its row if there is one."""
        self.taken -= 1
        self._heavy_taken -= heavy
        for line in self._in_order():
            if line.hand_on(row):
                is_heavy = line is self._heavy
                self._short_in_a_row = 0 if is_heavy else self._short_in_a_row + 1
                self._count(heavy=is_heavy)
                return

    def _in_order(self) -> "tuple[_Line, ...]":
        if self._heavy_taken >= self.heavy_size:
            return (self._short,)
        if self.size > 1 and self._short_in_a_row >= _IN_A_ROW:
            return self._heavy, self._short
        return self._short, self._heavy


class _Line:
    """Callers of one kind that wait, with their sources: urgent ones and others."""

    def __init__(self) -> None:
        self._urgent = deque[tuple[_Permit, str]]()
        self._others = deque[tuple[_Permit, str]]()
        self._urgent_in_a_row = 0

    def add(self, permit: _Permit, source: str, *, urgent: bool) -> None:
        (self._urgent if urgent else self._others).append((permit, source))

    def hand_on(self, row: _Row) -> bool:
        """Give the permit after those of `row` to the next caller; return False if none waits."""
        queues = self._urgent, self._others
        if self._urgent_in_a_row >= _IN_A_ROW:
            queues = self._others, self._urgent
        for queue in queues:
            while queue and queue[0][0].done():
                queue.popleft()
            if queue:
                is_urgent = queue is self._urgent
                self._urgent_in_a_row = self._urgent_in_a_row + 1 if is_urgent else 0
                _hand_on(row, queue)
                return True
        return False


def _hand_on(row: _Row, queue: deque[tuple[_Permit, str]]) -> None:
    """Continue a row with the first caller of its source, or begin one with the first caller."""
    now = asyncio.get_running_loop().time()
    if row.source and row.length < _IN_A_ROW and now < row.ends:
        for place, (permit, source) in enumerate(queue):
            if source == row.source and not permit.done():
                del queue[place]
                permit.set_result(replace(row, length=row.length + 1))
                return
    permit, source = queue.popleft()
    permit.set_result(_first_of(source))


def _first_of(source: str) -> _Row:
    return _Row(source, 1, asyncio.get_running_loop().time() + _OVERTAKING)
