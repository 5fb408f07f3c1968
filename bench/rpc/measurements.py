"""Figures of one contender with one number of callers, and the medians of several rounds."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """Figures of one load. `p50` and `p99` are None when fewer than two calls were answered."""

    rate: float  # answered calls a second
    p50: float | None  # ms, of answered calls
    p99: float | None  # ms, of answered calls
    answered: int
    failures: dict[str, int]  # by the name of the exception
    connections: int  # opened by caller and worker
    caller_cpu: float  # microseconds an answered call
    worker_cpu: float  # microseconds an answered call

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


def median_of(rounds: Sequence[Measurement]) -> Measurement:
    """Return the median of each figure, with the calls and failures of all rounds added up."""
    failures: Counter[str] = Counter()
    for one in rounds:
        failures.update(one.failures)
    return Measurement(
        rate=median(one.rate for one in rounds),
        p50=_median_of_known(rounds, lambda one: one.p50),
        p99=_median_of_known(rounds, lambda one: one.p99),
        answered=sum(one.answered for one in rounds),
        failures=dict(failures.most_common()),
        connections=round(median(one.connections for one in rounds)),
        caller_cpu=median(one.caller_cpu for one in rounds),
        worker_cpu=median(one.worker_cpu for one in rounds),
    )


def _median_of_known(
    rounds: Sequence[Measurement], figure: Callable[[Measurement], float | None]
) -> float | None:
    known = [value for value in map(figure, rounds) if value is not None]
    return median(known) if known else None
