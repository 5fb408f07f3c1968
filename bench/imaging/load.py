"""The load: so many connections, each with one request under way, for so long."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from statistics import median
from threading import Thread

CONNECTIONS = 8
TIMEOUT = 30.0  # seconds a request may take
PATIENCE = 3  # times the measured time, for the first answers of what is slow
AFTER_A_FAILURE = 0.02  # seconds until its connection tries again


class Refused(Exception):
    """A status that was not hoped for."""


@dataclass(frozen=True)
class Ask:
    """A request."""

    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """Of the answers that came in the measured time, and of everything for what failed."""

    rate: float  # a second
    p50: float | None  # ms
    answered: int  # with those of the warm-up
    failures: dict[str, int]


def fetch(port: int, ask: Ask) -> bytes:
    """One answer, over a connection of its own. Raises Refused."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        return _answer(connection, ask)
    finally:
        connection.close()


def play(port: int, ask: Callable[[int], Ask], warm_up: float, seconds: float) -> Outcome:
    """Ask over all connections at once; the n-th request is `ask(n)`."""
    begin = time.perf_counter() + warm_up
    end = begin + seconds
    numbers, failures, answered = count(), Counter[str](), Counter[str]()
    done: list[tuple[float, float]] = []  # seconds since `begin`, and ms of the request

    def goes_on() -> bool:
        now = time.perf_counter()
        return now < end or (len(done) < CONNECTIONS and now < end + PATIENCE * seconds)

    def connected() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        while goes_on():
            sent = time.perf_counter()
            try:
                _answer(connection, ask(next(numbers)))
            except (OSError, HTTPException, Refused) as exc:
                failures[str(exc) if isinstance(exc, Refused) else type(exc).__name__] += 1
                connection.close()
                time.sleep(AFTER_A_FAILURE)
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
    # What is so slow that next to nothing came in time has until its first few answers.
    window = max([seconds, *(at for at, _ in done[:CONNECTIONS][-1:])])
    latencies = [took for at, took in done if at <= window]
    return Outcome(
        rate=len(latencies) / window,
        p50=median(latencies) if latencies else None,
        answered=answered["all"],
        failures=dict(failures),
    )


def _answer(connection: HTTPConnection, ask: Ask) -> bytes:
    connection.request(ask.method, ask.path, ask.body, ask.headers)
    response = connection.getresponse()
    data = response.read()
    if response.status not in (200, 201):
        raise Refused(f"{response.status} {response.reason}")
    return data
