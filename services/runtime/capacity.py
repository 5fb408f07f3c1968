"""How much a process takes in at once: what does not fit stays in Redis, for another to take."""

import asyncio


class Capacity:
    """Counts what is in hand, and lets the readers of lists and streams wait until there is less.

    Room is looked at before a read and taken after it, so each reader may be one read over.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._changed = asyncio.Event()

    @property
    def taken(self) -> int:
        """How many messages are in hand."""
        return self._taken

    @property
    def free(self) -> int:
        """How many more fit."""
        return max(0, self._size - self._taken)

    async def wait(self) -> None:
        """Return when something fits."""
        while not self.free:
            self._changed.clear()
            await self._changed.wait()

    def take(self) -> None:
        """Take a place, to be given back."""
        self._taken += 1

    def give_back(self) -> None:
        """Give a place back."""
        self._taken -= 1
        self._changed.set()
