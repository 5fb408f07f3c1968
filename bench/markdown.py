"""Markdown for the reports: table rows, and the line that describes machine and commit."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from bench.environments import ROOT


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
    """Describe what was measured: commit, processor, system, Python, versions of `packages`."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"commit {commit()}, {os.cpu_count()} cores of {processor()} shared by all processes, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {versions}"
    )


def processor() -> str:
    """Name the processor, with its family and model: the names of virtual ones say little."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = dict[str, str]()
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    name = found.get("model name", platform.machine())
    if {"cpu family", "model"} <= set(found):
        name += f" (family {found['cpu family']}, model {found['model']})"
    return name


def commit() -> str:
    """Return the short hash of the checkout's commit, with `+changes` if tracked files differ.

    Files in `bench/results` may differ: the benchmark before this one wrote them.
    """
    found = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results")
    return f"{found}+changes" if changed else found


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
