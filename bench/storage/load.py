"""The load: a number of requests over 8 connections, each with one request in flight."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Thread

from bench.imaging.load import (
    CONNECTIONS,
    PAUSE_AFTER_FAILURE,
    TIMEOUT,
    Request,
    UnexpectedStatus,
    exchange,
)

Receive = Callable[[int, bytes], None]
"""Gets the number of a request and the body of its response. Raises UnexpectedAnswer."""


class UnexpectedAnswer(Exception):
    """The body is not the one that was asked for."""


@dataclass(frozen=True)
class Outcome:
    """Figures of a load."""

    seconds: float  # from the first request to the last response
    latencies: list[float]  # ms, of the requests that succeeded
    failures: dict[str, int]  # by reason


def run(
    port: int,
    requests: int,
    make: Callable[[int], Request],
    receive: Receive = lambda _, __: None,
) -> Outcome:
    """Send the requests `make(0)` to `make(requests - 1)` over all connections; repeat none."""
    numbers, failures = count(), Counter[str]()
    latencies: list[float] = []

    def connected() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        while (number := next(numbers)) < requests:
            request = make(number)
            sent = time.perf_counter()
            try:
                body = exchange(connection, request)
                took = 1000 * (time.perf_counter() - sent)
                receive(number, body)
            except (OSError, HTTPException, UnexpectedStatus, UnexpectedAnswer) as exc:
                has_text = isinstance(exc, UnexpectedStatus | UnexpectedAnswer)
                failures[str(exc) if has_text else type(exc).__name__] += 1
                connection.close()
                time.sleep(PAUSE_AFTER_FAILURE)
            else:
                latencies.append(took)
        connection.close()

    threads = [Thread(target=connected) for _ in range(min(CONNECTIONS, requests))]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Outcome(time.perf_counter() - begin, latencies, dict(failures))
