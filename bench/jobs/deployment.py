"""One system, running: its Valkey, its workers, its gateway if it has one, and a client."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.environments import DATA, ROOT, python_of
from bench.jobs.contenders import SLOTS, Command, Contender
from bench.processes import counted, cpu_of
from bench.jobs.load import Load
from bench.jobs.server import DurableValkey
from bench.servers import free_port

LOG = DATA / "jobs.log"
START_WITHIN = END_WITHIN = 30  # seconds


class Match:
    """Asked for one load after the other."""

    def __init__(
        self, client: "subprocess.Popen[str]", cpu: dict[str, Callable[[], float]]
    ) -> None:
        self._client = client
        self._cpu = cpu

    def play(self, load: Load) -> dict[str, Any]:
        """What came of a load, with the seconds of CPU that everybody spent on it."""
        before = {who: used() for who, used in self._cpu.items()}
        stdin: Any = self._client.stdin
        stdin.write(json.dumps(vars(load)) + "\n")
        stdin.flush()
        stdout: Any = self._client.stdout
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"A client of the benchmark ended early; {LOG} may say why.")
        outcome: dict[str, Any] = json.loads(line)
        spent = {who: used() - before[who] for who, used in self._cpu.items()}
        outcome["cpu"] = {"client": outcome["cpu"], **spent}
        return outcome


@contextmanager
def match(contender: Contender) -> Iterator[Match]:
    """Everything that `contender` needs, with a client that is ready for its first load."""
    with ExitStack() as running:
        log = running.enter_context(LOG.open("ab"))
        server = running.enter_context(DurableValkey())
        python = str(python_of(contender.packages) if contender.packages else Path(sys.executable))
        ports = {"imaging_port": free_port(), "gateway_port": free_port()}
        env = {**os.environ, "REDIS_URL": server.url, "DARKROOM_SLOTS": str(SLOTS)}
        env |= {"DARKROOM_LOG_LEVEL": "WARNING", "FASTSTREAM_LOG_LEVEL": "warning"}

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
            _await_answer(f"{url}/health/live")
            cpu["gateway"] = lambda: cpu_of([gateway])
        if counted():
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
        yield Match(client, cpu)


def _await_answer(url: str) -> None:
    end = time.monotonic() + START_WITHIN
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
