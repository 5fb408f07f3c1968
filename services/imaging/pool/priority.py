"""A semaphore with four queues: for short and heavy work, of clients that wait and of jobs."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

_IN_A_ROW = 8
_OVERTAKING = 0.25  # seconds from the first permit of a row to the last that overtakes others


@dataclass(frozen=True)
class _Row:
    """Permits that callers with the same source have had one after another."""

    source: str
    length: int
    ends: float
    """The moment of the event loop from which on the row overtakes nobody."""


@dataclass(frozen=True)
class Done:
    """Given to a caller in place of a permit: another one has done its work."""

    result: Any


def _new_future() -> "asyncio.Future[_Row | Done]":
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False)
class Caller:
    """A caller that waits for a permit."""

    source: str = ""
    """The key of its image; empty for none."""
    work: Any = None
    """Its work, which another caller may do with its own; None if it has to be done alone."""
    answer: "asyncio.Future[_Row | Done]" = field(default_factory=_new_future)
    """Its permit, or what is in place of one."""
    number: int = 0
    """Its number in the order in which callers came, once it is in the queue."""


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

    A caller that has a permit may take urgent short ones out of the queue, to do their work too.
    Those whose work it has not done come back to their places.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.heavy_size = max(1, size - 1)
        self.taken = 0
        self._heavy_taken = 0
        self._short = _Line()
        self._heavy = _Line()
        self._short_in_a_row = 0
        self._numbers = count(1)

    @asynccontextmanager
    async def acquire(
        self, caller: Caller | None = None, *, urgent: bool, heavy: bool = False
    ) -> AsyncIterator[Done | None]:
        """Wait for a permit, and hold it within the context.

        The value is None. It is Done, without a permit, if another caller has done the work.
        """
        answer = await self._wait(caller or Caller(), urgent=urgent, heavy=heavy)
        if isinstance(answer, Done):
            yield answer
            return
        try:
            yield None
        finally:
            self._release(answer, heavy=heavy)

    @property
    def has_urgent(self) -> bool:
        """Return whether urgent short work waits."""
        return bool(self._short.urgent)

    def take_share(self, most: int) -> list[Caller]:
        """Take callers out of the queue, for one that has a permit to do their work with its own.

        It takes its share: as many as there are for each permit, itself included, and no more than
        `most` others. Give each its `Done`, or have it `come_back`.
        """
        waiting = [one for one in self._short.urgent if one.work and not one.answer.done()]
        number = -(-(len(waiting) + 1) // self.size) - 1
        taken = waiting[: min(most, number)]
        for one in taken:
            self._short.urgent.remove(one)
        return taken

    def take_out(self, caller: Caller) -> bool:
        """Take a caller out of the queue; return whether it was there, and urgent and short."""
        if caller not in self._short.urgent:
            return False
        self._short.urgent.remove(caller)
        return True

    def come_back(self, callers: Sequence[Caller]) -> None:
        """Put callers that were taken out of the queue back to where they were."""
        if callers:
            queue = sorted((*self._short.urgent, *callers), key=lambda one: one.number)
            self._short.urgent = deque(queue)
        # A permit may have been returned while nobody waited.
        while self.taken < self.size and self._short.hand_on(_first_of("")):
            self._count(heavy=False)

    async def _wait(self, caller: Caller, *, urgent: bool, heavy: bool) -> _Row | Done:
        # No short work waits while a permit is free.
        if self.taken < self.size and (not heavy or self._heavy_taken < self.heavy_size):
            self._count(heavy=heavy)
            return _first_of(caller.source)
        caller.number = next(self._numbers)
        line = self._heavy if heavy else self._short
        (line.urgent if urgent else line.others).append(caller)
        try:
            return await caller.answer
        except asyncio.CancelledError:
            # A future that is cancelled is skipped; a permit that was given must be returned.
            if not caller.answer.cancelled() and caller.answer.exception() is None:
                answer = caller.answer.result()
                if isinstance(answer, _Row):
                    self._release(answer, heavy=heavy)
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
    """Callers of one kind that wait: urgent ones and others."""

    def __init__(self) -> None:
        self.urgent = deque[Caller]()
        self.others = deque[Caller]()
        self._urgent_in_a_row = 0

    def hand_on(self, row: _Row) -> bool:
        """Give the permit after those of `row` to the next caller; return False if none waits."""
        queues = self.urgent, self.others
        if self._urgent_in_a_row >= _IN_A_ROW:
            queues = self.others, self.urgent
        for queue in queues:
            while queue and queue[0].answer.done():
                queue.popleft()
            if queue:
                is_urgent = queue is self.urgent
                self._urgent_in_a_row = self._urgent_in_a_row + 1 if is_urgent else 0
                _hand_on(row, queue)
                return True
        return False


def _hand_on(row: _Row, queue: deque[Caller]) -> None:
    """Continue a row with the first caller of its source, or begin one with the first caller."""
    now = asyncio.get_running_loop().time()
    if row.source and row.length < _IN_A_ROW and now < row.ends:
        for place, caller in enumerate(queue):
            if caller.source == row.source and not caller.answer.done():
                del queue[place]
                caller.answer.set_result(replace(row, length=row.length + 1))
                return
    caller = queue.popleft()
    caller.answer.set_result(_first_of(caller.source))


def _first_of(source: str) -> _Row:
    return _Row(source, 1, asyncio.get_running_loop().time() + _OVERTAKING)
