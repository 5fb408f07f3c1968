"""A contender's Valkey, workers, gateway and client, running for the measurements."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.environments import DATA, ROOT, python_of
from bench.jobs.contenders import SLOTS, Command, Contender
from bench.jobs.load import Load
from bench.jobs.measurements import Measured
from bench.processes import can_measure, cpu_of
from bench.servers import DurableValkey, free_port, wait_for_http

LOG = DATA / "jobs.log"
START_WITHIN = END_WITHIN = 30  # seconds


class Deployment:
    """The running processes of one contender.

    `cpu` has, for each kind of process, a function that returns the CPU seconds used so far.
    """

    def __init__(
        self, client: "subprocess.Popen[str]", cpu: dict[str, Callable[[], float]]
    ) -> None:
        self._client = client
        self._cpu = cpu

    def measure(self, load: Load) -> Measured:
        """Run a load; return its figures, with the CPU seconds of each kind of process.

        Raises RuntimeError when the client process has ended.
        """
        before = {kind: used() for kind, used in self._cpu.items()}
        stdin: Any = self._client.stdin
        stdin.write(json.dumps(vars(load)) + "\n")
        stdin.flush()
        stdout: Any = self._client.stdout
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"A client of the benchmark ended early; see {LOG}.")
        outcome: Measured = json.loads(line)
        spent = {kind: used() - before[kind] for kind, used in self._cpu.items()}
        outcome["cpu"] = {"client": outcome["cpu"], **spent}
        return outcome


@contextmanager
def deployed(contender: Contender) -> Iterator[Deployment]:
    """Start everything that `contender` needs, and a client; end all of it at the end."""
    with ExitStack() as running:
        log = running.enter_context(LOG.open("ab"))
        server = running.enter_context(DurableValkey())
        python = str(python_of(contender.packages) if contender.packages else Path(sys.executable))
        ports = {"imaging_port": free_port(), "gateway_port": free_port()}
        env = {**os.environ, "REDIS_URL": server.url, "DARKROOM_SLOTS": str(SLOTS)}
        env |= {"DARKROOM_LOG_LEVEL": "WARNING", "FASTSTREAM_LOG_LEVEL": "warning"}
        # The client watches each job at once, in up to a thousand messages a second.
        env |= {"DARKROOM_MAX_LIVE_FRAMES": "100000"}

        def start(command: Command) -> int:
            words = [word.format(**ports) for word in command]
            process = subprocess.Popen(
                [python, "-m", *words], cwd=ROOT, env=env, stdout=log, stderr=log
            )
            running.callback(_end, process)
            return process.pid

        cpu: dict[str, Callable[[], float]] = {"server": server.cpu}
        workers = [start(command) for command in contender.workers]
        url = server.url
        if contender.gateway:
            gateway = start(contender.gateway)
            url = f"http://127.0.0.1:{ports['gateway_port']}"
            wait_for_http(f"{url}/health/live", seconds=START_WITHIN)
            cpu["gateway"] = lambda: cpu_of([gateway])
        if can_measure():
            cpu["workers"] = lambda: cpu_of(workers)
        client = subprocess.Popen(
            [python, "-m", "bench.jobs.client", contender.client, url],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        running.callback(client.communicate, timeout=END_WITHIN)
        yield Deployment(client, cpu)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
