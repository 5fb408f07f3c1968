"""One contender's worker and caller, running; asked for one cell after the other."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.environments import DATA, ROOT, python_of
from bench.rpc.measurements import Cell
from bench.rpc.contenders import Contender
from bench.rpc.load import Load
from bench.servers import Server

LOG = DATA / "rpc.log"


class Match:
    """A server, a worker and a caller of the same contender."""

    def __init__(self, server: Server, worker: "Side", caller: "Side") -> None:
        self._server = server
        self._worker = worker
        self._caller = caller

    def play(self, load: Load) -> Cell:
        """Put the load on it, and say how it went."""
        opened, cpu = self._server.connections(), float(self._worker.ask(""))
        outcome = json.loads(self._caller.ask(json.dumps(vars(load))))
        cpu = float(self._worker.ask("")) - cpu
        calls = max(1, outcome["answered"])
        return Cell(
            rate=outcome["rate"],
            p50=outcome["p50"],
            p99=outcome["p99"],
            answered=outcome["answered"],
            failures=outcome["failures"],
            connections=self._server.connections() - opened,
            caller_cpu=1e6 * outcome["cpu"] / calls,
            worker_cpu=1e6 * cpu / calls,
        )


class Side:
    """A worker or a caller in its own process and its own environment."""

    def __init__(self, side: str, contender: Contender, url: str, log: IO[bytes]) -> None:
        python = python_of(contender.packages) if contender.packages else Path(sys.executable)
        command = [str(python), "-m", "bench.rpc.peer", side]
        self._process = subprocess.Popen(
            [*command, contender.system, contender.transport, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def ask(self, question: str) -> str:
        """Its answer to a line."""
        stdin: Any = self._process.stdin
        stdin.write(question + "\n")
        stdin.flush()
        return self.hear()

    def hear(self) -> str:
        """The next line it says."""
        stdout: Any = self._process.stdout
        line = str(stdout.readline())
        if not line:
            raise RuntimeError(f"A process of the benchmark ended early; {LOG} may say why.")
        return line

    def end(self) -> None:
        """Let it end: it does so with its input."""
        _, _ = self._process.communicate(timeout=30)


@contextmanager
def match(contender: Contender) -> Iterator[Match]:
    """Everything that `contender` needs, from the first answer on."""
    with LOG.open("ab") as log, contender.server() as server:
        sides = [Side(side, contender, server.url, log) for side in ("worker", "caller")]
        try:
            sides[1].hear()
            yield Match(server, *sides)
        finally:
            for side in reversed(sides):
                side.end()
