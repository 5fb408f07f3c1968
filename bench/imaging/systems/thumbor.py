"""thumbor: Tornado and Pillow, with a process for each core."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.environments import DATA, python_of
from bench.imaging.cases import QUALITY, Case
from bench.imaging.photographs import FOLDER
from bench.imaging.systems import one_port
from bench.imaging.systems.http_server import HttpServer, started
from bench.imaging.systems.interface import NotInstalled, Running
from bench.servers import free_port

_LOCK = "imaging-thumbor"
_SETTINGS = f"""\
LOADER = "thumbor.loaders.file_loader"
FILE_LOADER_ROOT_PATH = {str(FOLDER)!r}
STORAGE = "thumbor.storages.no_storage"
PROGRESSIVE_JPEG = False
AVIF_CODEC = "auto"
AVIF_SPEED = 8
NON_BLOCKING_SOCKETS = True
"""
_NO_RESULTS = "RESULT_STORAGE = None\n"
_RESULTS = """\
RESULT_STORAGE = "thumbor.result_storages.file_storage"
RESULT_STORAGE_FILE_STORAGE_ROOT_PATH = {folder!r}
RESULT_STORAGE_STORES_UNSAFE = True
"""


def install() -> None:
    """Install the pinned packages unless they are installed. Raises NotInstalled."""
    try:
        python_of(_LOCK)
    except subprocess.CalledProcessError:
        raise NotInstalled("pip could not install it") from None


@contextmanager
def run() -> Iterator[Running]:
    """Start the server with the folder of photographs."""
    with serving(os.cpu_count() or 1) as (pid, port):
        yield HttpServer("thumbor", pid, port, path_of)


@contextmanager
def serving(processes: int, *, results: Path | None = None) -> Iterator[tuple[int, int]]:
    """Start the server, and yield its process id and its port.

    With a folder `results`, it stores results there and answers from them.
    """
    port = free_port()
    settings = DATA / "imaging" / f"thumbor-{port}.conf"
    stored = _RESULTS.format(folder=str(results)) if results else _NO_RESULTS
    settings.write_text(_SETTINGS + stored)
    each = [str(python_of(_LOCK).with_name("thumbor")), "--fd", "{fd}"]
    options = ["-c", str(settings), "-l", "error"]
    # With thumbor's own option for processes, one of them may have all connections of a client.
    command = [sys.executable, one_port.__file__, str(processes), str(port), *each, *options]
    try:
        with started(command, DATA, port) as pid:
            yield pid, port
    finally:
        settings.unlink()


def path_of(case: Case) -> str:
    """Return the URL path that requests a case."""
    size = f"{case.size[0]}x{case.size[1]}/" if case.size else ""
    look = "stretch()" if case.size else "grayscale()"
    filters = f"filters:{look}:quality({QUALITY}):format({case.format})"
    return f"/unsafe/{size}{filters}/{case.photo.name}"
