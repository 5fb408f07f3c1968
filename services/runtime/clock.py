"""One clock for all hosts: Redis's, as near as a round trip tells."""

import time
from collections.abc import Callable


class Clock:
    """Unix time by Redis's clock, without asking it each time.

    The offset is measured at every heartbeat as NTP does it (RFC 5905, section 8): the server's
    time is taken to be that of the middle of the round trip, so it is off by half of it at most.
    """

    def __init__(self, host: Callable[[], float] = time.time) -> None:
        self.host = host
        """The time by this host's own clock."""
        self._offset = 0.0

    def now(self) -> float:
        """Seconds since the epoch, by Redis."""
        return self.host() + self._offset

    def set(self, *, asked: float, answered: float, server: float) -> None:
        """Take in one measurement; `asked` and `answered` are by this host's own clock."""
        self._offset = server - (asked + answered) / 2
