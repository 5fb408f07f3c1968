"""Figures of one round of a contender, and the medians of several rounds."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.jobs.load import percentiles

Measured = dict[str, Any]
"""The result of `Deployment.measure`: a `load.Outcome` as a dict, with CPU seconds by process."""

_NOTHING: Measured = {"ended": 0, "failures": {}, "latencies": []}


@dataclass
class Round:
    """All loads of one contender in one round."""

    bursts: defaultdict[int, list[Measured]] = field(default_factory=lambda: defaultdict(list))
    sequential: Measured = field(default_factory=lambda: _NOTHING)
    half_rate: Measured = field(default_factory=lambda: _NOTHING)

    def add_burst(self, jobs: int, measured: Measured) -> None:
        """Add a burst of `jobs` jobs."""
        self.bursts[jobs].append(measured)

    def rate(self, jobs: int) -> float:
        """Return the jobs a second in bursts of `jobs` jobs."""
        measured = self.bursts[jobs]
        seconds = sum(float(one["seconds"]) for one in measured)
        return sum(int(one["ended"]) for one in measured) / seconds

    def cpu(self) -> dict[str, float]:
        """Return the CPU microseconds a job in the largest burst, by kind of process."""
        measured = self.bursts[max(self.bursts)][0]
        ended = max(1, measured["ended"])
        return {kind: 1e6 * used / ended for kind, used in measured["cpu"].items()}

    def all(self) -> list[Measured]:
        """Return every load except the warm-up."""
        bursts = (one for measured in self.bursts.values() for one in measured)
        return [*bursts, self.sequential, self.half_rate]


@dataclass(frozen=True)
class Figures:
    """Medians over the rounds, with the jobs and failures of all rounds added up."""

    rates: dict[int, float]  # jobs a second, by the size of the burst
    sequential: tuple[float, float]  # ms, p50 and p99, one job at a time
    half_rate: tuple[float, float]  # ms, p50 and p99, at half of the largest burst's rate
    half: float  # jobs a second: half of the largest burst's rate
    cpu: dict[str, float]  # microseconds a job, by kind of process
    ended: int
    failures: dict[str, int]  # by the name of the exception

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


def median_of(rounds: Sequence[Round]) -> Figures:
    """Return the median of each figure."""
    sizes = sorted(rounds[0].bursts)
    failures: Counter[str] = Counter()
    for measured in (one for found in rounds for one in found.all()):
        failures.update(measured["failures"])
    rates = {jobs: median(found.rate(jobs) for found in rounds) for jobs in sizes}
    return Figures(
        rates=rates,
        sequential=_latencies([found.sequential for found in rounds]),
        half_rate=_latencies([found.half_rate for found in rounds]),
        half=median(found.rate(sizes[-1]) / 2 for found in rounds),
        cpu={kind: median(found.cpu()[kind] for found in rounds) for kind in rounds[0].cpu()},
        ended=sum(measured["ended"] for found in rounds for measured in found.all()),
        failures=dict(failures.most_common()),
    )


def _latencies(loads: Sequence[Measured]) -> tuple[float, float]:
    found = [percentiles(load["latencies"]) for load in loads]
    return median(p50 for p50, _ in found), median(p99 for _, p99 in found)
