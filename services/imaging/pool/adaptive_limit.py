"""Number of messages that a worker takes at once: more while renders are short.

A slot is idle while its worker fetches the next message from Redis, and only messages that are
here can share a call to a pool process. Both matter between short renders alone. A message that
waits in one worker cannot be started by another.
"""

from services.runtime.capacity import Capacity

SHORT = 0.1  # seconds from the start of a render's call, queued or not, to its result


class AdaptiveLimit(Capacity):
    """Capacity of `least` to `most` messages.

    It grows by one with each that is done within 100 ms, and shrinks by one with any other.
    """

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least)
        self._least = least
        self.most = most

    @property
    def excess(self) -> int:
        """Return how many messages are taken beyond what the limit now allows."""
        return max(0, self._taken - self._size)

    @property
    def exceeded(self) -> bool:
        """True if no message may be taken, or more are taken than the limit now allows."""
        return self._paused or self.excess > 0

    def observe(self, seconds: float) -> None:
        """Adapt to a message whose work took `seconds`, including its wait for a slot."""
        if seconds > SHORT:
            self.lower()
        elif self._size < self.most:
            self._size += 1
            self._changed.set()

    def lower(self) -> None:
        """Shrink by one, because a message has waited for long."""
        self._size = max(self._least, self._size - 1)

    def shrink(self) -> None:
        """Go back to the least, because nothing ends."""
        self._size = self._least

    def halve(self) -> None:
        """Halve the limit, because a render in progress is long."""
        self._size = max(self._least, self._size // 2)
