"""Run the command `darkroom` in a process of its own, and make and list its files."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from services.runtime.redis.keys import JOB
from tests.e2e.pictures import photograph
from tests.processes import ROOT

LARGE = (2400, 1800)


@contextmanager
def started(gateway: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Start `darkroom ARGUMENTS` for the gateway at a URL; kill the process at the end."""
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


def run_darkroom(
    gateway: str, *arguments: str | Path, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run `darkroom ARGUMENTS`; fail unless its exit code is `code`."""
    with started(gateway, *arguments) as process:
        stdout, stderr = process.communicate(timeout=40)
    assert process.returncode == code, stdout + stderr
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def write_photograph(path: Path, *, seed: int, size: tuple[int, int] = (320, 240)) -> Path:
    """Write a JPEG to `path`, whatever its suffix; another seed makes another image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photograph(*size, seed=seed))
    return path


def files_in(folder: Path) -> list[str]:
    """Return the files in a folder and below it, hidden ones too, except the manifest."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".darkroom.jsonl"
    )


def count_jobs(redis_url: str) -> int:
    """Return how many jobs a Redis has records of."""
    with Redis.from_url(redis_url) as redis:
        return sum(1 for _ in redis.scan_iter(f"{JOB}{'?' * 32}", count=1000))
