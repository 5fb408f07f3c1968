"""One clock for all hosts: Redis's, as near as a round trip tells."""

import time
from collections.abc import Callable

_SLOW = 0.02  # seconds; a round trip that is shorter is as good as any


class Clock:
    """Unix time by Redis's clock, without asking it each time.

    The offset is measured at every heartbeat as NTP does it (RFC 5905, section 8): the server's
    time is taken to be that of the middle of the round trip, so it is off by half of it at most.
    """

    def __init__(self, host: Callable[[], float] = time.time) -> None:
        self.host = host
        """The time by this host's own clock."""
        self._offset = 0.0
        self._best: float | None = None  # seconds: the shortest round trip, of late

    def now(self) -> float:
        """Seconds since the epoch, by Redis."""
        return self.host() + self._offset

    def set(self, *, asked: float, answered: float, server: float) -> None:
        """Take in one measurement; `asked` and `answered` are by this host's own clock.

        One that was held up on its way tells little, and is left out.
        """
        trip = answered - asked
        if self._best is not None and trip > max(_SLOW, 4 * self._best):
            self._best *= 2
            return
        self._best = trip if self._best is None else min(trip, 2 * self._best)
        self._offset = server - (asked + answered) / 2
