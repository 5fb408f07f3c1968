"""S3 servers for tests and benchmarks, each on a free port, with an empty bucket."""

import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from bench import environments
from bench.servers import free_port

BUCKET = "photos"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "darkroom", "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests"}
"""Variables of the environment that the servers know, and that a store needs."""


class S3Server:
    """A context manager: the server answers when entered and has ended when left."""

    name: ClassVar[str]

    def __enter__(self) -> Self:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self._folder = tempfile.TemporaryDirectory(prefix="darkroom-s3-")
        self._before(Path(self._folder.name))
        python = environments.python_of("s3")
        self._process = subprocess.Popen(
            [str(python.parent / self.name), *self._arguments(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
            env=os.environ | self._environment(),
        )
        try:
            _wait_for_port(port, self._process)
            self._after()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._process.pid

    def store(self, prefix: str = "") -> str:
        """Return the URL of a store in the bucket."""
        return f"s3://{BUCKET}/{prefix}?endpoint={self.endpoint}&region=us-east-1"

    def _arguments(self, port: int) -> Sequence[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return {}

    def _before(self, folder: Path) -> None:
        """Prepare an empty folder, in which the server will run."""

    def _after(self) -> None:
        """Prepare the server, which answers."""


class Moto(S3Server):
    """Moto's server: everything is in memory, and no signature is checked."""

    name = "moto_server"

    def _arguments(self, port: int) -> Sequence[str]:
        return "--host", "127.0.0.1", "--port", str(port)

    def _after(self) -> None:
        request = urllib.request.Request(f"{self.endpoint}/{BUCKET}", method="PUT")
        urllib.request.urlopen(request, timeout=20).close()


class Nanio(S3Server):
    """Nanio: objects are files, signatures are checked, conditions of a put are not."""

    name = "nanio"

    def _arguments(self, port: int) -> Sequence[str]:
        listen = ("--host", "127.0.0.1", "--port", str(port))
        return "serve", "--data-dir", "data", *listen, "--no-access-log"

    def _environment(self) -> dict[str, str]:
        return {
            "NANIO_ACCESS_KEY": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "NANIO_SECRET_KEY": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }

    def _before(self, folder: Path) -> None:
        (folder / "data" / BUCKET).mkdir(parents=True)


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once a server listens. Raises OSError if it ends, or does not within a while."""
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
