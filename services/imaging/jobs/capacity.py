"""Number of jobs that a worker takes at once: more while renders are short.

A slot is idle while its worker fetches the next job from Redis, which only matters between short
renders. A job that waits in one worker cannot be started by another.
"""

from services.runtime.capacity import Capacity

SHORT = 0.1  # seconds from the start of a job's render call, queued or not, to its result
_MOST_PER_SLOT = 16


class AdaptiveLimit(Capacity):
    """Capacity between one and sixteen jobs a slot.

    It grows by one with each job that is rendered within 100 ms, and shrinks by one with any other.
    """

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self._slots = slots

    @property
    def exceeded(self) -> bool:
        """True if more jobs are taken than the limit now allows."""
        return self._paused or self._taken > self._size

    def observe(self, seconds: float) -> None:
        """Adapt to a job whose render took `seconds`, including its wait for a slot."""
        if seconds > SHORT:
            self._size = max(self._slots, self._size - 1)
        elif self._size < _MOST_PER_SLOT * self._slots:
            self._size += 1
            self._changed.set()

    def halve(self) -> None:
        """Halve the limit, because a render in progress is long."""
        self._size = max(self._slots, self._size // 2)
