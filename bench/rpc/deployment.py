"""A contender's server, worker process and caller process, running for the measurements."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.environments import DATA, ROOT, python_of
from bench.rpc.contenders import Contender
from bench.rpc.load import Load
from bench.rpc.measurements import Measurement
from bench.servers import Server

LOG = DATA / "rpc.log"


class Deployment:
    """The running processes of one contender."""

    def __init__(self, server: Server, worker: "PeerProcess", caller: "PeerProcess") -> None:
        self._server = server
        self._worker = worker
        self._caller = caller

    def measure(self, load: Load) -> Measurement:
        """Run a load and return its figures."""
        opened, cpu = self._server.connections(), float(self._worker.ask(""))
        outcome = json.loads(self._caller.ask(json.dumps(vars(load))))
        cpu = float(self._worker.ask("")) - cpu
        calls = max(1, outcome["answered"])
        return Measurement(
            rate=outcome["rate"],
            p50=outcome["p50"],
            p99=outcome["p99"],
            answered=outcome["answered"],
            failures=outcome["failures"],
            connections=self._server.connections() - opened,
            caller_cpu=1e6 * outcome["cpu"] / calls,
            worker_cpu=1e6 * cpu / calls,
        )


class PeerProcess:
    """A `bench.rpc.peer`, the worker or the caller, with the contender's own packages."""

    def __init__(self, role: str, contender: Contender, url: str, log: IO[bytes]) -> None:
        python = python_of(contender.packages) if contender.packages else Path(sys.executable)
        command = [str(python), "-m", "bench.rpc.peer", role]
        self._process = subprocess.Popen(
            [*command, contender.system, contender.transport, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def ask(self, line: str) -> str:
        """Send a line and return the line that the process answers. Raises RuntimeError."""
        stdin: Any = self._process.stdin
        stdin.write(line + "\n")
        stdin.flush()
        return self.read_line()

    def read_line(self) -> str:
        """Return the next line of the process; raise RuntimeError when it has ended."""
        stdout: Any = self._process.stdout
        line = str(stdout.readline())
        if not line:
            raise RuntimeError(f"A process of the benchmark ended early; see {LOG}.")
        return line

    def end(self) -> None:
        """Close the standard input of the process, which ends it, and wait for its end."""
        _, _ = self._process.communicate(timeout=30)


@contextmanager
def deployed(contender: Contender) -> Iterator[Deployment]:
    """Start everything that `contender` needs; yield once the worker has answered a call."""
    with LOG.open("ab") as log, contender.server() as server:
        peers = [PeerProcess(role, contender, server.url, log) for role in ("worker", "caller")]
        try:
            peers[1].read_line()
            yield Deployment(server, *peers)
        finally:
            for peer in reversed(peers):
                peer.end()
