"""The command as people run it, in a process of its own, and what it works on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from tests.e2e.pictures import photograph
from tests.processes import ROOT

LARGE = (2400, 1800)


@contextmanager
def running(gateway: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """`darkroom ...`; gone for certain in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "darkroom", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "DARKROOM_GATEWAY": gateway, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def darkroom(
    gateway: str, *arguments: str | Path, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """`darkroom ...`, ended with the exit code `code`."""
    with running(gateway, *arguments) as process:
        stdout, stderr = process.communicate(timeout=40)
    assert process.returncode == code, stdout + stderr
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def take(path: Path, *, seed: int, size: tuple[int, int] = (320, 240)) -> Path:
    """A photograph, written to `path`; what it is, is JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photograph(*size, seed=seed))
    return path


def names_in(folder: Path) -> list[str]:
    """The files in a folder and below it, the hidden ones as well."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".darkroom.jsonl"
    )


def jobs_at(redis_url: str) -> int:
    """How many jobs have ever been accepted there."""
    with Redis.from_url(redis_url) as redis:
        return sum(1 for _ in redis.scan_iter(f"darkroom:job:{'?' * 32}", count=1000))
