"""What each compared system needs, installed apart from Darkroom's own packages.

They can't share one: arq holds redis-py below 6 and brings hiredis, which changes how every other
client in its environment reads. A lock is made from its `.in` file with

    uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --no-header arq.in -o arq.lock
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / ".data" / "bench"
LOCKS = ROOT / "bench" / "locks"


def python_of(name: str) -> Path:
    """The interpreter that has the packages of `<name>.lock`, installed if they aren't yet."""
    lock = LOCKS / f"{name}.lock"
    folder = DATA / name
    python = folder / "bin" / "python"
    # Written last, so that an install that broke off is done again.
    installed = folder / "installed.lock"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--quiet", "--require-hashes", "-r", lock], check=True)
        installed.write_bytes(lock.read_bytes())
    return python
