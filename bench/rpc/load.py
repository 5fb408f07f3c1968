"""The load: a number of concurrent callers, each of which awaits a reply before its next call."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

Call = Callable[[str], Awaitable[str]]
"""Have a text echoed; raises an exception after `TIMEOUT` seconds without a reply."""

TEXT = "0123456789" * 10
TIMEOUT = 10.0  # seconds a call may take
PAUSE_AFTER_FAILURE = 0.01  # seconds until the caller's next call


class WrongAnswer(Exception):
    """The reply is not the text that was sent."""


@dataclass(frozen=True)
class Load:
    """The load that the benchmark requests from a caller process."""

    callers: int
    warm_up: float  # seconds
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """Figures of a load.

    Rate and latencies are of the calls that ended in the measured seconds. CPU time and answered
    calls are of the whole load, from the first call to the last reply.
    """

    rate: float  # answered calls a second
    p50: float | None  # ms
    p99: float | None  # ms
    answered: int
    failures: dict[str, int]  # by the name of the exception
    cpu: float  # seconds

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


async def run(call: Call, load: Load) -> Outcome:
    """Run `load.callers` callers concurrently; return once the last call has ended."""
    cpu = time.process_time()
    begin = time.perf_counter() + load.warm_up
    end = begin + load.seconds
    latencies: list[float] = []
    failures: Counter[str] = Counter()
    answered = 0

    async def caller() -> None:
        nonlocal answered
        while (sent := time.perf_counter()) < end:
            try:
                if await call(TEXT) != TEXT:
                    raise WrongAnswer
            except Exception as exc:
                failures[type(exc).__name__] += 1
                await asyncio.sleep(PAUSE_AFTER_FAILURE)
            else:
                done = time.perf_counter()
                answered += 1
                if begin <= done <= end:
                    latencies.append(1000 * (done - sent))

    await asyncio.gather(*(caller() for _ in range(load.callers)))
    p50, p99 = _percentiles(latencies)
    return Outcome(
        rate=len(latencies) / load.seconds,
        p50=p50,
        p99=p99,
        answered=answered,
        failures=dict(failures),
        cpu=time.process_time() - cpu,
    )


def _percentiles(latencies: list[float]) -> tuple[float | None, float | None]:
    if len(latencies) < 2:
        return None, None
    cuts = quantiles(latencies, n=100, method="inclusive")
    return cuts[49], cuts[98]
