"""The terminal that all processes share: one line at a time, each with its process's name."""

import os
import sys
from contextlib import suppress
from datetime import datetime
from threading import Lock

from honcho.printer import Message, Printer


class Output:
    """Prints lines to stdout; safe to use from several threads."""

    def __init__(self) -> None:
        self._printer = Printer(sys.stdout, width=len("darkroom"))
        self._lock = Lock()

    def print_lines(self, *lines: str) -> None:
        """Print lines of the development server itself."""
        for line in lines:
            # honcho's printer drops empty lines, so an empty line becomes a space.
            self.print_line("darkroom", line or " ", None)

    def print_line(self, name: str, line: str | bytes, colour: str | None) -> None:
        """Print a line of the process `name`."""
        message = Message("line", line, datetime.now(), name, colour)
        with self._lock:
            try:
                self._printer.write(message)
            except OSError:
                # The terminal or pipe is closed: discard output, so that all services still stop.
                with suppress(OSError), open(os.devnull, "w") as devnull:
                    os.dup2(devnull.fileno(), sys.stdout.fileno())
