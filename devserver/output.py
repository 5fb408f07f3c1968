"""The one terminal that every process writes to, a line at a time, each under its name."""

import os
import sys
from contextlib import suppress
from datetime import datetime
from threading import Lock

from honcho.printer import Message, Printer


class Output:
    def __init__(self) -> None:
        self._printer = Printer(sys.stdout, width=len("darkroom"))
        self._lock = Lock()

    def say(self, *lines: str) -> None:
        for line in lines:
            # A line of its own even if empty: the printer drops what has no characters.
            self.relay("darkroom", line or " ", None)

    def relay(self, name: str, line: str | bytes, colour: str | None) -> None:
        message = Message("line", line, datetime.now(), name, colour)
        with self._lock:
            try:
                self._printer.write(message)
            except OSError:
                # The terminal or the pipe has gone; the services still have to end in order.
                with suppress(OSError), open(os.devnull, "w") as nowhere:
                    os.dup2(nowhere.fileno(), sys.stdout.fileno())
