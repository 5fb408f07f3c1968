"""The load: a number of connections, each with one request in flight, for a number of seconds."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from statistics import median
from threading import Thread

CONNECTIONS = 8
SUCCESSES = (200, 201, 204, 206)
TIMEOUT = 30.0  # seconds a request may take
MAX_EXTENSION = 3  # times the measured seconds, while fewer than CONNECTIONS answers have come
PAUSE_AFTER_FAILURE = 0.02  # seconds until the connection's next request


class UnexpectedStatus(Exception):
    """The response has another status than those of a success."""


@dataclass(frozen=True)
class Request:
    """An HTTP request."""

    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """Figures of a load.

    Rate and median are of the answers in the measured seconds; answers and failures are of the
    whole load, warm-up included.
    """

    rate: float  # answers a second
    p50: float | None  # ms
    answered: int
    failures: dict[str, int]  # by reason


def fetch(port: int, request: Request) -> bytes:
    """Send one request over a connection of its own; return the body. Raises UnexpectedStatus."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        return exchange(connection, request)
    finally:
        connection.close()


def run(port: int, request: Callable[[int], Request], warm_up: float, seconds: float) -> Outcome:
    """Send requests over all connections; `request(n)` makes the n-th. Times are in seconds."""
    begin = time.perf_counter() + warm_up
    end = begin + seconds
    numbers, failures, answered = count(), Counter[str](), Counter[str]()
    done: list[tuple[float, float]] = []  # seconds since `begin`, and ms of the request

    def goes_on() -> bool:
        now = time.perf_counter()
        return now < end or (len(done) < CONNECTIONS and now < end + MAX_EXTENSION * seconds)

    def connected() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        while goes_on():
            sent = time.perf_counter()
            try:
                exchange(connection, request(next(numbers)))
            except (OSError, HTTPException, UnexpectedStatus) as exc:
                is_status = isinstance(exc, UnexpectedStatus)
                failures[str(exc) if is_status else type(exc).__name__] += 1
                connection.close()
                time.sleep(PAUSE_AFTER_FAILURE)
            else:
                now = time.perf_counter()
                answered["all"] += 1
                if now >= begin:
                    done.append((now - begin, 1000 * (now - sent)))
        connection.close()

    threads = [Thread(target=connected) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.sort()
    # A slow system is measured for longer: until its first CONNECTIONS answers have come.
    window = max([seconds, *(at for at, _ in done[:CONNECTIONS][-1:])])
    latencies = [took for at, took in done if at <= window]
    return Outcome(
        rate=len(latencies) / window,
        p50=median(latencies) if latencies else None,
        answered=answered["all"],
        failures=dict(failures),
    )


def exchange(connection: HTTPConnection, request: Request) -> bytes:
    """Send one request over a connection; return the body. Raises UnexpectedStatus."""
    connection.request(request.method, request.path, request.body, request.headers)
    response = connection.getresponse()
    data = response.read()
    if response.status not in SUCCESSES:
        raise UnexpectedStatus(f"{response.status} {response.reason}")
    return data
