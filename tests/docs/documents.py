"""The repository's files, its documents among them, and copies of its checkout."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.processes import ROOT

GUIDE = Path("services/gateway/guide")
"""The folder of the built guide, which git ignores."""


@cache
def files() -> tuple[str, ...]:
    """Return the path of every file of the checkout, except those that git ignores."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return tuple(sorted(name for name in set(listing.split("\0")) if (ROOT / name).is_file()))


@cache
def _compiled() -> tuple[str, ...]:
    """Return the path of every compiled module of services, command and `make run`."""
    folders = ("contracts", "darkroom", "devserver", "services")
    found = (path for folder in folders for path in (ROOT / folder).rglob("__pycache__/*.pyc"))
    return tuple(str(path.relative_to(ROOT)) for path in found)


def guide() -> list[Path]:
    """Return the guide's pages without the decisions, which may name removed things."""
    pages = (name for name in files() if name.startswith("docs/") and name.endswith(".md"))
    return [ROOT / name for name in pages if not name.startswith("docs/decisions/")]


def root_documents() -> list[Path]:
    """Return the Markdown files in the root: the README, and what a code forge looks for."""
    return [ROOT / name for name in files() if "/" not in name and name.endswith(".md")]


def copy_checkout(target: Path) -> None:
    """Copy the files with their times, so that make finds packages and guide up to date.

    A page may change its copy. The packages and the built guide are links to those of this one.
    Modules come with what Python has compiled of them: a start takes less CPU then.
    """
    for name in (*files(), *_compiled()):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, path)
    for folder in filter(Path.is_dir, (ROOT / "docs").rglob("*")):
        if (copied := target / folder.relative_to(ROOT)).is_dir():
            shutil.copystat(folder, copied)
    shutil.copystat(ROOT / "docs", target / "docs")
    (target / ".venv").symlink_to(sys.prefix)
    (target / GUIDE).symlink_to(ROOT / GUIDE)


def restore_checkout(copy: Path) -> None:
    """Copy the files again whose times or sizes are no longer those of this checkout."""
    for folder, _, names in os.walk(copy):
        for path in (Path(folder, name) for name in names):
            original = ROOT / path.relative_to(copy)
            if not path.is_symlink() and _state(path) != _state(original):
                shutil.copy2(original, path)


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size
