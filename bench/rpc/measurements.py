"""What is measured of one contender with so many callers, and the median of several rounds."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Cell:
    rate: float  # answered calls a second
    p50: float | None  # ms, of answered calls
    p99: float | None  # ms, of answered calls
    answered: int
    failures: dict[str, int]
    connections: int  # opened by either side
    caller_cpu: float  # microseconds an answered call
    worker_cpu: float  # microseconds an answered call

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def median_of(rounds: Sequence[Cell]) -> Cell:
    """Each figure's median; the calls and failures of all rounds together."""
    failures: Counter[str] = Counter()
    for cell in rounds:
        failures.update(cell.failures)
    return Cell(
        rate=median(cell.rate for cell in rounds),
        p50=_known(rounds, lambda cell: cell.p50),
        p99=_known(rounds, lambda cell: cell.p99),
        answered=sum(cell.answered for cell in rounds),
        failures=dict(failures.most_common()),
        connections=round(median(cell.connections for cell in rounds)),
        caller_cpu=median(cell.caller_cpu for cell in rounds),
        worker_cpu=median(cell.worker_cpu for cell in rounds),
    )


def _known(rounds: Sequence[Cell], figure: Callable[[Cell], float | None]) -> float | None:
    known = [value for value in map(figure, rounds) if value is not None]
    return median(known) if known else None
