"""What a round has measured of a system, and the medians of several rounds."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.jobs.load import percentiles

Played = dict[str, Any]
"""What `Match.play` gives."""

_NOTHING: Played = {"ended": 0, "failures": {}, "latencies": []}


@dataclass
class Round:
    """One system's turn."""

    bursts: defaultdict[int, list[Played]] = field(default_factory=lambda: defaultdict(list))
    low: Played = field(default_factory=lambda: _NOTHING)
    half: Played = field(default_factory=lambda: _NOTHING)

    def burst(self, jobs: int, played: Played) -> None:
        """Add one of the bursts of so many jobs."""
        self.bursts[jobs].append(played)

    def rate(self, jobs: int) -> float:
        """Jobs a second in bursts of so many."""
        played = self.bursts[jobs]
        seconds = sum(float(one["seconds"]) for one in played)
        return sum(int(one["ended"]) for one in played) / seconds

    def cpu(self) -> dict[str, float]:
        """Microseconds a job in the largest burst, by who spent them."""
        (played,) = self.bursts[max(self.bursts)][:1]
        return {who: 1e6 * used / max(1, played["ended"]) for who, used in played["cpu"].items()}

    def all(self) -> list[Played]:
        """Every load but the warm-up."""
        return [*(one for played in self.bursts.values() for one in played), self.low, self.half]


@dataclass(frozen=True)
class Figures:
    """Medians over the rounds; the jobs and failures of all of them together."""

    rates: dict[int, float]  # jobs a second, by the size of the burst
    low: tuple[float, float]  # ms, p50 and p99, one at a time
    half: tuple[float, float]  # ms, p50 and p99, at half of the largest burst's rate
    pace: float  # jobs a second that this half is
    cpu: dict[str, float]  # microseconds a job
    ended: int
    failures: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def median_of(rounds: Sequence[Round]) -> Figures:
    """Each figure's median."""
    sizes = sorted(rounds[0].bursts)
    failures: Counter[str] = Counter()
    for played in (one for found in rounds for one in found.all()):
        failures.update(played["failures"])
    rates = {jobs: median(found.rate(jobs) for found in rounds) for jobs in sizes}
    return Figures(
        rates=rates,
        low=_latencies([found.low for found in rounds]),
        half=_latencies([found.half for found in rounds]),
        pace=median(found.rate(sizes[-1]) / 2 for found in rounds),
        cpu={who: median(found.cpu()[who] for found in rounds) for who in rounds[0].cpu()},
        ended=sum(played["ended"] for found in rounds for played in found.all()),
        failures=dict(failures.most_common()),
    )


def _latencies(loads: Sequence[Played]) -> tuple[float, float]:
    found = [percentiles(load["latencies"]) for load in loads]
    return median(p50 for p50, _ in found), median(p99 for _, p99 in found)
