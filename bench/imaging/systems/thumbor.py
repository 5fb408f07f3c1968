"""thumbor: Tornado and Pillow, with a process for each core."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bench.environments import DATA, python_of
from bench.imaging.cases import QUALITY, Case
from bench.imaging.photographs import FOLDER
from bench.imaging.systems.http_server import HttpServer, started
from bench.imaging.systems.interface import NotInstalled, Running
from bench.servers import free_port

_LOCK = "imaging-thumbor"
_SETTINGS = f"""\
LOADER = "thumbor.loaders.file_loader"
FILE_LOADER_ROOT_PATH = {str(FOLDER)!r}
STORAGE = "thumbor.storages.no_storage"
RESULT_STORAGE = None
PROGRESSIVE_JPEG = False
AVIF_CODEC = "auto"
AVIF_SPEED = 8
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
    port = free_port()
    settings = DATA / "imaging" / "thumbor.conf"
    settings.write_text(_SETTINGS)
    command = [str(python_of(_LOCK).with_name("thumbor")), "-i", "127.0.0.1", "-p", str(port)]
    options = ["-c", str(settings), "--processes", str(os.cpu_count() or 1), "-l", "error"]
    with started([*command, *options], DATA, port) as pid:
        yield HttpServer("thumbor", pid, port, _path)


def _path(case: Case) -> str:
    size = f"{case.size[0]}x{case.size[1]}/" if case.size else ""
    look = "stretch()" if case.size else "grayscale()"
    filters = f"filters:{look}:quality({QUALITY}):format({case.format})"
    return f"/unsafe/{size}{filters}/{case.photo.name}"
