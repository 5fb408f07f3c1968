"""Test pictures in the source packages of Pillow and pillow-heif, used from where they are."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.environments import DATA, LOCKS
from bench.exact.pictures.scene import Picture
from contracts.formats import format_of_bytes

_LONGEST = 1_000_000  # bytes: larger files take long, and are photographs of known kinds


@dataclass(frozen=True)
class Packaged:
    """The source packages of `bench/locks/<name>.lock`."""

    name: str

    @property
    def folder(self) -> Path:
        """The folder with the files of all packages."""
        return DATA / self.name

    def missing(self) -> str | None:
        """Return what is missing, as a reason to skip a judge."""
        installed = self.folder / "installed.lock"
        if installed.exists() and installed.read_bytes() == self._lock.read_bytes():
            return None
        return f"{self.name} is not installed: make exact installs it"

    def install(self) -> None:
        """Download and unpack the packages. Raises subprocess.CalledProcessError."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with tempfile.TemporaryDirectory() as downloads:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--quiet", "--no-deps"]
            options = ["--no-binary", ":all:", "--require-hashes", "-r", str(self._lock)]
            subprocess.run([*command, *options, "-d", downloads], check=True)
            for package in Path(downloads).iterdir():
                with tarfile.open(package) as archive:
                    archive.extractall(self.folder, filter="data")
        # Written after a complete installation: an interrupted one is repeated.
        (self.folder / "installed.lock").write_bytes(self._lock.read_bytes())

    def stills(self) -> Iterator[Picture]:
        """Yield the files in a format that Darkroom reads, each by its path."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.stat().st_size <= _LONGEST:
                data = path.read_bytes()
                if format_of_bytes(data):
                    yield str(path.relative_to(self.folder)), data

    @property
    def _lock(self) -> Path:
        return LOCKS / f"{self.name}.lock"


PACKAGED = Packaged("exact-pictures")
