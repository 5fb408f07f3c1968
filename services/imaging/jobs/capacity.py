"""How many jobs a worker has in hand: one a slot, and more while they are short.

While a slot waits for Redis to hand out a job, or to write one down, it renders nothing. With long
renders that is no matter, and whatever is in hand here can't be had by a worker that is free.
"""

from services.runtime.capacity import Capacity

SOON = 0.1  # seconds: a job that is in hand should have been done so soon
_MOST = 16  # jobs a slot


class AdaptiveLimit(Capacity):
    """Room for a job a slot at least; it grows while jobs are done soon after they were taken."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self._slots = slots

    @property
    def exceeded(self) -> bool:
        """Whether more is in hand than there is room for by now."""
        return self._taken > self._size

    def observe(self, seconds: float) -> None:
        """Take in how long a job was in hand until its render was done."""
        if seconds > SOON:
            self._size = max(self._slots, self._size - 1)
        elif self._size < _MOST * self._slots:
            self._size += 1
            self._changed.set()

    def halve(self) -> None:
        """Take in that what is being rendered takes long."""
        self._size = max(self._slots, self._size // 2)
