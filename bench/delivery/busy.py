"""The latency of a picture from memory while renders fill all slots, beside its idle latency."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from http.client import HTTPException
from itertools import count
from statistics import median
from time import monotonic, sleep
from typing import Any

from bench.command_line import progress
from bench.delivery.comparison import CONNECTIONS, ask
from bench.delivery.contenders import HITS
from bench.delivery.stage import SLOTS, Stage
from bench.delivery.target import WrongAnswer, get, upload
from bench.gateway.wrk import Load
from bench.imaging.load import PAUSE_AFTER_FAILURE
from bench.imaging.photographs import LARGE

LEVELS = (1, CONNECTIONS)
CLIENTS = 2 * SLOTS  # of renders: more than slots, so that none is ever free

_WIDEST, _WIDTHS, _FINEST = 2000, 500, 95  # of the results, which all differ
_BUSY_WITHIN = 20.0  # seconds
_WARM_UP = 1  # seconds of both loads before they are measured


@dataclass(frozen=True)
class Pair:
    """Latencies of hits in one round, over a number of connections: idle, and beside renders."""

    connections: int
    idle_p50: float  # ms
    idle_p99: float
    busy_p50: float
    busy_p99: float
    idle_rate: float  # a second
    busy_rate: float
    renders: int  # that were completed meanwhile

    @property
    def ratio(self) -> float:
        """The p99 beside renders divided by the idle one."""
        return self.busy_p99 / self.idle_p99

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {**asdict(self), "ratio": self.ratio}


def measure(stage: Stage, rounds: int, seconds: int) -> list[Pair]:
    """Measure both latencies in each round, over each number of connections."""
    target = HITS.prepare(stage)
    port = stage.gateway()
    image = upload(port, LARGE.read())
    numbers = count()
    pairs: list[Pair] = []
    for number in range(rounds):
        for level in LEVELS:
            idle = ask(target, level, seconds)
            with _renders(port, image, numbers) as done:
                # A pool process yields from its second call on that waits for a core.
                ask(target, level, _WARM_UP)
                done.clear()
                busy = ask(target, level, seconds)
                rendered = len(done)
            pairs.append(_pair(level, idle, busy, rendered))
            progress(
                f"  round {number + 1}: p99 over {level}: {idle.p99:.2f} ms idle, "
                f"{busy.p99:.2f} ms beside {rendered} renders"
            )
    return pairs


def ratios_of(pairs: Sequence[Pair]) -> dict[int, float]:
    """Return the median of the ratios by number of connections."""
    levels = sorted({pair.connections for pair in pairs})
    return {n: median(pair.ratio for pair in pairs if pair.connections == n) for n in levels}


@contextmanager
def _renders(port: int, image: str, numbers: Iterator[int]) -> Iterator[list[float]]:
    """Keep all slots busy with renders that take long, and yield the moments of their ends."""
    ended, done = threading.Event(), list[float]()

    def render() -> None:
        while not ended.is_set():
            # Each asks for something else: a result that is stored needs no slot.
            lower, narrower = divmod(next(numbers), _WIDTHS)
            slow = f"op=resize:width={_WIDEST - narrower}&op=blur:8&quality={_FINEST - lower}"
            with suppress(OSError, HTTPException):
                if get(port, f"{image}/render?{slow}").status == 200:
                    done.append(monotonic())
                    continue
            sleep(PAUSE_AFTER_FAILURE)

    threads = [threading.Thread(target=render, daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        _wait_until_busy(port)
        done.clear()
        yield done
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _wait_until_busy(port: int) -> None:
    end = monotonic() + _BUSY_WITHIN
    while True:
        workers = json.loads(get(port, "/v1/system").body)["workers"].values()
        if all(worker["busy"] >= worker["slots"] for worker in workers):
            return
        if monotonic() > end:
            raise WrongAnswer("the slots were never all busy")
        sleep(0.05)


def _pair(connections: int, idle: Load, busy: Load, renders: int) -> Pair:
    return Pair(connections, idle.p50, idle.p99, busy.p50, busy.p99, idle.rate, busy.rate, renders)
