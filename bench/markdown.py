"""Markdown for the reports: table rows, and the line that describes the machine."""

import os
import platform
from importlib.metadata import version


def header(first: str, *others: str) -> list[str]:
    """Return the two lines of a table's head; every column but the first is aligned right."""
    return [row(first, *others), row("---", *["--:"] * len(others))]


def row(*cells: str) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(cells) + " |"


def ratio(ours: float | None, theirs: float | None) -> str:
    """Return `ours / theirs` with two decimals; empty when either was not measured."""
    return f"{ours / theirs:.2f}" if ours and theirs else ""


def machine(*packages: str) -> str:
    """Describe the machine: cores, system, Python, and the versions of installed `packages`."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{os.cpu_count()} cores shared by all processes, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}, {versions}"
    )
