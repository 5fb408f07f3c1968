"""Ctrl-C and its kin, counted: asked once, everything ends in order; asked again, at once."""

import signal
import time
from types import FrameType

# `timeout` and make pass a signal on that the whole group has had already: that is one wish.
ECHO = 0.5  # seconds


class Stop:
    asked = False
    hurry = False
    _since = 0.0

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup: the terminal may go
            signal.signal(number, self._heard)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.asked:
            self.asked, self._since = True, now
        elif now - self._since > ECHO:
            self.hurry = True
