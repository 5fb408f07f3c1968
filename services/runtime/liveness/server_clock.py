"""Redis's clock, estimated: one clock for all hosts."""

import time
from collections.abc import Callable

_LARGE_SKEW = 2.0  # seconds

_SLOW = 0.02  # seconds; a round trip that is shorter is as good as any


class Clock:
    """Unix time by Redis's clock, without a round trip for each reading.

    The offset is measured at every heartbeat as NTP does it (RFC 5905, section 8): the server's
    time is taken to be that of the middle of the round trip, so the error is half of it at most.
    """

    def __init__(self, host: Callable[[], float] = time.time) -> None:
        self.host = host
        """This host's own clock: seconds since the epoch."""
        self._offset = 0.0
        self._best: float | None = None  # seconds: the shortest round trip, of late

    def now(self) -> float:
        """Return the seconds since the epoch by Redis's clock."""
        return self.host() + self._offset

    @property
    def skew(self) -> float:
        """Return by how many seconds this host's clock is ahead of Redis's."""
        return -self._offset

    @property
    def skewed(self) -> bool:
        """Return whether the two clocks differ so much that an operator should know."""
        return abs(self._offset) >= _LARGE_SKEW

    def set(self, *, asked: float, answered: float, server: float) -> None:
        """Correct the estimate by one round trip: sent, answered (this host's clock), Redis's time.

        A round trip that took much longer than the shortest one is ignored: its error is large.
        """
        trip = answered - asked
        if self._best is not None and trip > max(_SLOW, 4 * self._best):
            self._best *= 2
            return
        self._best = trip if self._best is None else min(trip, 2 * self._best)
        self._offset = server - (asked + answered) / 2
