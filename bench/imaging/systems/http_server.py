"""An image server that is started from a command line and reads photographs from its own folder."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.environments import DATA
from bench.imaging.cases import Case
from bench.imaging.load import Outcome, Request, fetch, run

LOG = DATA / "imaging.log"
READY_WITHIN = 30.0  # seconds


class HttpServer:
    """A running server; `path` makes the URL path that requests a case."""

    def __init__(self, name: str, pid: int, port: int, path: Callable[[Case], str]) -> None:
        self._name = name
        self._pid = pid
        self._port = port
        self._path = path

    def request(self, case: Case) -> bytes:
        return fetch(self._port, Request("GET", self._path(case)))

    def load(self, case: Case, warm_up: float, seconds: float) -> Outcome:
        request = Request("GET", self._path(case))
        return run(self._port, lambda _: request, warm_up, seconds)

    def processes(self) -> dict[str, int]:
        return {self._name: self._pid}

    def clear(self) -> None:
        pass


@contextmanager
def started(command: Sequence[str | Path], folder: Path, port: int) -> Iterator[int]:
    """Run `command` in `folder`; yield its process id once the server accepts connections.

    Raises RuntimeError when it does not within `READY_WITHIN` seconds. At the end its whole process
    group ends: processes that a killed parent left behind would slow the next system.
    """
    DATA.mkdir(parents=True, exist_ok=True)
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for_port(process, port)
            yield process.pid
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for_port(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"A server did not start; see {LOG}.") from None
            time.sleep(0.05)
        else:
            return
