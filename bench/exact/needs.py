"""Requirements of judges: packages of Node.js or Python in folders of their own, or a program.

Each is installed once, with pinned versions, into `.data/bench`.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench import environments

_PINNED = Path(__file__).parent / "node"


class Need(Protocol):
    """Something that has to be installed before a judge runs."""

    def missing(self) -> str | None:
        """Return what is missing, as a reason to skip the judge; None if it is installed."""

    def install(self) -> None:
        """Install it. Raises subprocess.CalledProcessError, and OSError if that is impossible."""


@dataclass(frozen=True)
class Node:
    """The packages and scripts of `bench/exact/node/<name>`."""

    name: str

    @property
    def folder(self) -> Path:
        """The folder with the scripts and `node_modules`."""
        return environments.DATA / f"exact-{self.name}"

    def missing(self) -> str | None:
        if shutil.which("node") is None:
            return "Node.js is not installed"
        installed = self.folder / "installed.lock"
        if not installed.exists() or installed.read_bytes() != self._lock():
            return f"{self.name} is not installed: make exact installs it"
        return None

    def install(self) -> None:
        if (npm := shutil.which("npm")) is None:
            raise FileNotFoundError("npm is not installed")
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_PINNED / self.name / name, self.folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
        subprocess.run(command, cwd=self.folder, check=True)
        # Written after a complete installation: an interrupted one is repeated.
        (self.folder / "installed.lock").write_bytes(self._lock())

    def script(self, name: str) -> Path:
        """Return a script of `bench/exact/node/<name>`, where it finds its packages."""
        source, target = _PINNED / self.name / name, self.folder / name
        # Tests run in several processes: none may see half of a file.
        written = target.with_name(f"{name}.{os.getpid()}")
        shutil.copy(source, written)
        written.replace(target)
        return target

    def _lock(self) -> bytes:
        return (_PINNED / self.name / "package-lock.json").read_bytes()


@dataclass(frozen=True)
class Python:
    """The packages of `bench/locks/<name>.lock`, in a virtual environment."""

    name: str

    @property
    def interpreter(self) -> Path:
        """The environment's interpreter."""
        return environments.DATA / self.name / "bin" / "python"

    def missing(self) -> str | None:
        if environments.is_installed(self.name):
            return None
        return f"{self.name} is not installed: make exact installs it"

    def install(self) -> None:
        environments.python_of(self.name)


@dataclass(frozen=True)
class Program:
    """A program of the system: any of these names."""

    names: tuple[str, ...]

    @property
    def path(self) -> str | None:
        """The program's path, if it is installed."""
        return next(filter(None, map(shutil.which, self.names)), None)

    def missing(self) -> str | None:
        return None if self.path else f"{self.names[0]} is not installed"

    def install(self) -> None:
        raise FileNotFoundError(f"install {self.names[0]} with the system's package manager")


SHARP = Node("sharp")
CHROMIUM = Program(("chromium", "chromium-browser", "google-chrome"))
