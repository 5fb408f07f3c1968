"""The load generator: wrk, a single process in C, so that it takes little CPU from the service."""

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

SCRIPT = Path(__file__).with_name("post.lua")
DONE = Path(__file__).with_name("done.lua")
_OVERTIME = 60.0  # seconds that wrk may take beyond those of its load


@dataclass(frozen=True)
class Load:
    """Figures of one load."""

    rate: float  # requests a second that succeeded
    p50: float  # ms
    p99: float  # ms
    answered: int  # requests, with those that failed
    failed: int  # status of 400 or more, or not answered


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


def run(
    url: str,
    *,
    connections: int,
    seconds: float,
    script: Path | None = None,
    arguments: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Send requests over `connections`, each with one in flight, from one thread.

    `script` is in Lua and gets the `arguments`; without it, all requests are for `url`. wrk counts
    whole seconds. Raises subprocess.SubprocessError when wrk fails or does not end.
    """
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--latency"]
    command += ["--duration", f"{seconds:g}s", "--timeout", "10s"]
    for name, value in (headers or {}).items():
        command += ["--header", f"{name}: {value}"]
    with NamedTemporaryFile("w", suffix=".lua") as whole:
        # wrk takes one script.
        whole.write((script.read_text() if script else "") + DONE.read_text())
        whole.flush()
        printed = subprocess.run(
            [*command, "--script", whole.name, url, *(["--", *arguments] if arguments else [])],
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + _OVERTIME,
        ).stdout
    answered, duration, p50, p99, failed = map(int, printed.partition("RESULT ")[2].split())
    rate = 1e6 * (answered - failed) / duration
    return Load(rate, p50 / 1000, p99 / 1000, answered, failed)


def post(service: str, endpoint: str, users: int, seconds: float) -> Measurement:
    """Have `users` connections post items to an endpoint of the service at the URL `service`."""
    lost = _undelivered(service)
    url = f"{service}/items/{endpoint}"
    load = run(url, connections=users, seconds=seconds, script=SCRIPT)
    # The outbox publishes its last messages now, and not during the next measurement.
    time.sleep(0.5)
    return Measurement(
        rate=load.rate,
        p50=load.p50,
        p99=load.p99,
        failed=load.failed,
        undelivered=_undelivered(service) - lost,
    )


def _undelivered(service: str) -> int:
    with urllib.request.urlopen(f"{service}/undelivered", timeout=30) as answer:
        return int(answer.read())
