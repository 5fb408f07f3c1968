"""Room for so many renders at once: what is waited for comes before what is done later."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_IN_A_ROW = 8


class Slots:
    """So many places. Whoever is waited for gets a free one first.

    After eight of these in a row a job's turn comes, so that a rush never stops the jobs for good.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._patient: deque[asyncio.Future[None]] = deque()
        self._in_a_row = 0

    @asynccontextmanager
    async def take(self, *, urgent: bool) -> AsyncIterator[None]:
        """Have a place for as long as this is entered."""
        await self._wait(self._urgent if urgent else self._patient)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, line: deque[asyncio.Future[None]]) -> None:
        if self.taken < self.size:
            self.taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled ones that are still in line are passed over there.
            if not turn.cancelled():
                # It came in the very moment in which nobody wanted it any more.
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        for line in self._by_right():
            while line:
                turn = line.popleft()
                if not turn.done():
                    self._in_a_row = self._in_a_row + 1 if line is self._urgent else 0
                    turn.set_result(None)
                    return
        self.taken -= 1

    def _by_right(self) -> tuple[deque[asyncio.Future[None]], ...]:
        if self._in_a_row < _IN_A_ROW:
            return self._urgent, self._patient
        return self._patient, self._urgent
