"""wrk, as many users at once: one process in C, so that the service is what is measured."""

import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Answered:
    rate: float  # requests a second
    p50: float  # ms
    p99: float  # ms
    failed: int  # not 2xx, or not answered
    undelivered: int  # answered, but lost on the way to Redis


def installed() -> bool:
    """Whether this machine has wrk."""
    return shutil.which("wrk") is not None


def post(service: str, way: str, users: int, seconds: float) -> Answered:
    """Have `users` post items to `service`, each one request after the other."""
    lost = _undelivered(service)
    command = ["wrk", "--threads", "1", "--connections", str(users), "--latency"]
    command += ["--duration", f"{seconds:g}s", "--timeout", "10s", "--script", str(SCRIPT)]
    printed = subprocess.run(
        [*command, f"{service}/items/{way}"], capture_output=True, text=True, check=True
    ).stdout
    # What is published in a moment must not be the next measurement's work.
    time.sleep(0.5)
    figures = printed.partition("RESULT ")[2].split()
    requests, duration, p50, p99, failed = map(int, figures)
    return Answered(
        rate=1e6 * (requests - failed) / duration,
        p50=p50 / 1000,
        p99=p99 / 1000,
        failed=failed,
        undelivered=_undelivered(service) - lost,
    )


def _undelivered(service: str) -> int:
    with urllib.request.urlopen(f"{service}/undelivered", timeout=30) as answer:
        return int(answer.read())
