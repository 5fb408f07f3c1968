"""Limit of the messages that a process handles at once; the others stay in Redis."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

FEW = 4
"""Messages under way at once up to which a reply hardly ever has others to leave with."""


class Capacity:
    """Counts the messages that are being handled, and lets readers wait until one more fits.

    A reader checks the capacity before a read and takes it afterwards, so each reader may exceed
    the limit by one read.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._changed = asyncio.Event()
        self._paused = False

    @property
    def paused(self) -> bool:
        """True while no further message may be read, however much room there is."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused
        self._changed.set()

    @property
    def size(self) -> int:
        """Return how many messages may be handled at once."""
        return self._size

    @property
    def taken(self) -> int:
        """Return the number of messages that are being handled."""
        return self._taken

    @property
    def free(self) -> int:
        """Return how many more messages fit, 0 at least."""
        return max(0, self._size - self._taken)

    async def wait(self) -> None:
        """Return when at least one more message fits, and reading is not paused."""
        while self._paused or not self.free:
            self._changed.clear()
            await self._changed.wait()

    def take(self) -> None:
        """Count a message; `give_back` ends it. Never waits and never refuses."""
        self._taken += 1

    def give_back(self) -> None:
        """Count a message as handled."""
        self._taken -= 1
        self._changed.set()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Do not count a message within the context: it waits long, and others may pass it."""
        self.give_back()
        try:
            yield
        finally:
            self.take()
