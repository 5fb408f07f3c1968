"""A running command of the Procfile, in a session of its own, stopped with all its children."""

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

STOP_WITHIN = 25.0  # seconds: a service takes up to 20 to finish its work
CHILDREN_END_WITHIN = 0.5  # seconds after the service has ended
POLL = 0.05  # seconds


class Service:
    """Starts the shell command `command`; its health is served on `port`."""

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
        # honcho's Popen: a shell, a pipe, and a session of its own, which Ctrl-C does not reach.
        self._process: subprocess.Popen[bytes] = Popen(command, env=env)
        self._relay = Thread(target=self._relay_lines, daemon=True)
        self._relay.start()

    def exit_code(self) -> int | None:
        """Return None while the service runs; after a signal, the signal's number negated."""
        return self._process.poll()

    def unready_reason(self) -> str | None:
        """Return the reason why the service is not ready, or None when it is ready."""
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
        """Stop the service gracefully, then kill its remaining children.

        Kills the service and its children at once when `stop.now` is set, or after `STOP_WITHIN`.
        """
        # SIGTERM goes to the service alone: it ends its pool processes after their last render.
        self._process.terminate()
        deadline = time.monotonic() + STOP_WITHIN
        while self._process.poll() is None:
            if stop.now or time.monotonic() > deadline:
                self._output.print_lines(f"killing {self.name}: it still had work")
                self._kill_group()
                self._process.wait()
            time.sleep(POLL)
        deadline = time.monotonic() + CHILDREN_END_WITHIN
        while self._group_is_alive() and not stop.now and time.monotonic() < deadline:
            time.sleep(POLL)
        self._kill_group()
        self._relay.join(timeout=CHILDREN_END_WITHIN)

    def _group_is_alive(self) -> bool:
        try:
            os.killpg(self._process.pid, 0)
        except (ProcessLookupError, PermissionError):  # macOS raises the latter for zombies
            return False
        return True

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _relay_lines(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._output.print_line(self.name, line, self._colour)
