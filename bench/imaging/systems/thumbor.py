"""thumbor: Tornado and Pillow, as many processes as there are cores."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bench.environments import DATA, python_of
from bench.imaging.cases import QUALITY, Case
from bench.imaging.photographs import FOLDER
from bench.imaging.systems.interface import NotInstalled, Running
from bench.imaging.systems.http_server import Served, started
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
    """Install what the lock names, unless it is there. Raises NotInstalled."""
    try:
        python_of(_LOCK)
    except subprocess.CalledProcessError:
        raise NotInstalled("pip could not install it") from None


@contextmanager
def run() -> Iterator[Running]:
    """Running, with the photographs in its folder."""
    port = free_port()
    settings = DATA / "imaging" / "thumbor.conf"
    settings.write_text(_SETTINGS)
    command = [str(python_of(_LOCK).with_name("thumbor")), "-i", "127.0.0.1", "-p", str(port)]
    options = ["-c", str(settings), "--processes", str(os.cpu_count() or 1), "-l", "error"]
    with started([*command, *options], DATA, port) as pid:
        yield Served("thumbor", pid, port, _path)


def _path(case: Case) -> str:
    size = f"{case.size[0]}x{case.size[1]}/" if case.size else ""
    look = "stretch()" if case.size else "grayscale()"
    filters = f"filters:{look}:quality({QUALITY}):format({case.format})"
    return f"/unsafe/{size}{filters}/{case.photo.name}"
