"""The load generator: wrk, a single process in C, so that it takes little CPU from the service."""

import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Measurement:
    """Figures of one endpoint with one number of users."""

    rate: float  # requests a second
    p50: float  # ms
    p99: float  # ms
    failed: int  # not 2xx, or not answered
    undelivered: int  # answered, but the message did not reach Redis


def installed() -> bool:
    """Return whether this machine has wrk."""
    return shutil.which("wrk") is not None


def post(service: str, endpoint: str, users: int, seconds: float) -> Measurement:
    """Have `users` connections post items to an endpoint of the service at the URL `service`."""
    lost = _undelivered(service)
    command = ["wrk", "--threads", "1", "--connections", str(users), "--latency"]
    command += ["--duration", f"{seconds:g}s", "--timeout", "10s", "--script", str(SCRIPT)]
    printed = subprocess.run(
        [*command, f"{service}/items/{endpoint}"], capture_output=True, text=True, check=True
    ).stdout
    # The outbox publishes its last messages now, and not during the next measurement.
    time.sleep(0.5)
    figures = printed.partition("RESULT ")[2].split()
    requests, duration, p50, p99, failed = map(int, figures)
    return Measurement(
        rate=1e6 * (requests - failed) / duration,
        p50=p50 / 1000,
        p99=p99 / 1000,
        failed=failed,
        undelivered=_undelivered(service) - lost,
    )


def _undelivered(service: str) -> int:
    with urllib.request.urlopen(f"{service}/undelivered", timeout=30) as answer:
        return int(answer.read())
