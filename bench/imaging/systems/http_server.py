"""A server on a port, started from a command line and asked over HTTP."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.environments import DATA
from bench.imaging.cases import Case
from bench.imaging.load import Ask, Outcome, fetch, play

LOG = DATA / "imaging.log"
READY_WITHIN = 30.0  # seconds


class Served:
    """A server that takes its photographs from its own storage."""

    def __init__(self, name: str, pid: int, port: int, path: Callable[[Case], str]) -> None:
        self._name = name
        self._pid = pid
        self._port = port
        self._path = path

    def one(self, case: Case) -> bytes:
        return fetch(self._port, Ask("GET", self._path(case)))

    def play(self, case: Case, warm_up: float, seconds: float) -> Outcome:
        ask = Ask("GET", self._path(case))
        return play(self._port, lambda _: ask, warm_up, seconds)

    def processes(self) -> dict[str, int]:
        return {self._name: self._pid}

    def forget(self) -> None:
        pass


@contextmanager
def started(command: Sequence[str | Path], folder: Path, port: int) -> Iterator[int]:
    """The process id of a server, from when it listens on."""
    DATA.mkdir(parents=True, exist_ok=True)
    with LOG.open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            _await(process, port)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(process: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + READY_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"A server did not start; {LOG} may say why.") from None
            time.sleep(0.05)
        else:
            return
