"""A virtual environment for each compared system, apart from Darkroom's own packages.

The systems cannot share one: arq requires redis-py below 6 and installs hiredis, which changes how
every other client in the same environment parses replies. Make a lock from its `.in` file with

    uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --no-header arq.in -o arq.lock
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.command_line import progress

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / ".data" / "bench"
LOCKS = ROOT / "bench" / "locks"
RESULTS = ROOT / "bench" / "results"


def python_of(name: str) -> Path:
    """Return the interpreter with the packages of `<name>.lock`; install them if needed.

    Raises subprocess.CalledProcessError when pip fails.
    """
    lock = LOCKS / f"{name}.lock"
    folder = DATA / name
    python = folder / "bin" / "python"
    if not is_installed(name):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--quiet", "--require-hashes", "-r", lock], check=True)
        # Written after a complete installation: an interrupted one is repeated.
        (folder / "installed.lock").write_bytes(lock.read_bytes())
    return python


def install_packages(names: Iterable[str | None]) -> None:
    """Make the folder of data, and the environment of each lock file; None needs no environment."""
    DATA.mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(names):
        if name is not None:
            progress(f"packages: {name}")
            python_of(name)


def is_installed(name: str) -> bool:
    """Return whether the environment has the packages of `<name>.lock`, all of them."""
    installed = DATA / name / "installed.lock"
    lock = LOCKS / f"{name}.lock"
    return installed.exists() and installed.read_bytes() == lock.read_bytes()


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        python_of(argument)
