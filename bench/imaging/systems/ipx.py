"""ipx: Node.js and sharp, installed in a folder of its own, started by its own command."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bench.environments import DATA, LOCKS
from bench.imaging.cases import QUALITY, Case
from bench.imaging.photographs import FOLDER
from bench.imaging.systems.http_server import HttpServer, started
from bench.imaging.systems.interface import NotInstalled, Running
from bench.servers import free_port
from contracts.formats import Format

_FOLDER = DATA / "ipx"
_PINNED = LOCKS / "ipx"


def install() -> None:
    """Install the pinned packages unless they are installed. Raises NotInstalled."""
    lock = (_PINNED / "package-lock.json").read_bytes()
    installed = _FOLDER / "installed.lock"
    if installed.exists() and installed.read_bytes() == lock:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled("there is no npm here")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    for path in _PINNED.iterdir():
        shutil.copy(path, _FOLDER)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    done = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled("npm could not install it")
    # Written after a complete installation: an interrupted one is repeated.
    installed.write_bytes(lock)


@contextmanager
def run() -> Iterator[Running]:
    """Start the server with the folder of photographs."""
    with serving() as (pid, port):
        yield HttpServer("ipx", pid, port, path_of)


@contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """Start the server, and yield its process id and its port."""
    port = free_port()
    node = shutil.which("node") or "node"
    program = os.path.join("node_modules", "ipx", "bin", "ipx.mjs")
    options = ["--dir", str(FOLDER), "--port", str(port), "--host", "127.0.0.1"]
    with started([node, program, "serve", *options], _FOLDER, port) as pid:
        yield pid, port


def path_of(case: Case) -> str:
    """Return the URL path that requests a case."""
    steps = [f"s_{case.size[0]}x{case.size[1]}", "fit_fill"] if case.size else ["grayscale"]
    # With a quality, sharp writes a PNG with a palette.
    quality = [] if case.format is Format.PNG else [f"q_{QUALITY}"]
    return f"/{','.join([*steps, f'f_{case.format}', *quality])}/{case.photo.name}"
