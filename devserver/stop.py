"""Counts the signals that request a stop: the first stops gracefully, a second one at once."""

import signal
import time
from types import FrameType

# `timeout` and make forward a signal that the whole process group has received already; a signal
# within this time after the first one is such a duplicate.
DUPLICATE_WITHIN = 0.5  # seconds


class Stop:
    """`requested`: stop gracefully. `now`: kill what still runs."""

    requested = False
    now = False
    _since = 0.0

    def install_handlers(self) -> None:
        """Handle SIGINT, SIGTERM and SIGHUP; an ignored SIGHUP (nohup) stays ignored."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        received = time.monotonic()
        if not self.requested:
            self.requested, self._since = True, received
        elif received - self._since > DUPLICATE_WITHIN:
            self.now = True
