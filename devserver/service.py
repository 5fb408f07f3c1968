"""One line of the Procfile, running: in a session of its own, stopped with all it started."""

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Thread

from honcho.process import Popen

from devserver.output import Output
from devserver.settings import HOST
from devserver.stop import Stop

GRACE = 25.0  # seconds: a service takes up to 20 to finish what it has in hand
STRAYS = 0.5  # seconds for what a service started to end after it
POLL = 0.05  # seconds


class Service:
    def __init__(
        self,
        name: str,
        command: str,
        *,
        port: int,
        env: Mapping[str, str],
        colour: str,
        output: Output,
    ) -> None:
        self.name = name
        self._port = port
        self._colour = colour
        self._output = output
        # honcho's: a shell, a pipe, and a session of its own, where no Ctrl-C reaches it.
        self._process: subprocess.Popen[bytes] = Popen(command, env=env)
        self._relay = Thread(target=self._relay_lines, daemon=True)
        self._relay.start()

    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return self._process.poll()

    def lacks(self) -> str | None:
        """What keeps the service from being ready, in words; None when nothing does."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=2)
        try:
            connection.request("GET", "/health/ready")
            response = connection.getresponse()
            answer = response.read(300).decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return f"{self.name} does not answer on port {self._port}"
        finally:
            connection.close()
        if response.status == 200:
            return None
        return f"{self.name} answers {response.status} {answer}".rstrip()

    def stop(self, stop: Stop) -> None:
        """Ends the service after what it has in hand, or at once in a hurry; then its strays."""
        # The service alone is told: its pool processes are its own to end, after their last render.
        self._process.terminate()
        deadline = time.monotonic() + GRACE
        while self._process.poll() is None:
            if stop.hurry or time.monotonic() > deadline:
                self._output.say(f"killing {self.name}: it still had work in hand")
                self._kill_group()
                self._process.wait()
            time.sleep(POLL)
        deadline = time.monotonic() + STRAYS
        while self._group_lives() and not stop.hurry and time.monotonic() < deadline:
            time.sleep(POLL)
        self._kill_group()
        self._relay.join(timeout=STRAYS)

    def _group_lives(self) -> bool:
        try:
            os.killpg(self._process.pid, 0)
        except (ProcessLookupError, PermissionError):  # the latter is macOS's word for zombies
            return False
        return True

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _relay_lines(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._output.relay(self.name, line, self._colour)
