"""All stores under the same load, in turns, and the medians of the rounds."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from statistics import median, quantiles
from typing import Any

from bench.command_line import progress
from bench.imaging.photographs import Photograph
from bench.storage.deployment import Deployment
from bench.storage.measures import MEASURES, Counts, Round, Sample

Key = tuple[str, str, str]
"""A store, a photograph and a measure, by their names."""


@dataclass(frozen=True)
class Cell:
    """Figures of one measure of one store with one photograph."""

    store: str
    photo: str
    measure: str
    rate: float  # a second: the median of the rounds
    p50: float | None  # ms, of the requests of all rounds
    p99: float | None  # ms
    rates: list[float]  # a second, of each round
    cpu: dict[str, float]  # ms a request, by process: medians of the rounds
    others: float  # cores that anything else on the machine used: the median of the rounds
    succeeded: int
    failures: dict[str, int]  # by reason

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


def compare(
    deployments: Sequence[Deployment], counts: Mapping[Photograph, Counts], rounds: int
) -> list[Cell]:
    """Take every measure of each store in each round, with each photograph.

    In a round a measure is taken of all stores before the next one. From measure to measure the
    order of the stores turns round: a slow moment of the machine hits others then.
    """
    samples: defaultdict[Key, list[Sample]] = defaultdict(list)
    turns, first = count(), 0
    for number in range(rounds):
        for photo, wanted in counts.items():
            progress(f"round {number + 1} of {rounds}: {photo.name}")
            load = Round(photo, wanted, first=first)
            first += wanted.images
            for measure in MEASURES:
                for one in deployments[:: -1 if next(turns) % 2 else 1]:
                    samples[one.name, photo.name, measure].append(load.measure(measure, one))
            for one in deployments:
                load.clear(one)
    return [
        _cell((one.name, photo.name, measure), samples[one.name, photo.name, measure])
        for photo in counts
        for measure in MEASURES
        for one in deployments
    ]


def ratio_of(cells: Sequence[Cell], ours: str, theirs: str, photo: str, measure: str) -> float:
    """Return the median over the rounds of one store's rate divided by another's.

    Both were measured in the same seconds of a round. Raises KeyError for one that was not.
    """
    found = {(one.store, one.photo, one.measure): one.rates for one in cells}
    rates = found[ours, photo, measure], found[theirs, photo, measure]
    return median(one / other if other else 0.0 for one, other in zip(*rates, strict=True))


def _cell(key: Key, rounds: Sequence[Sample]) -> Cell:
    store, photo, measure = key
    latencies = [took for one in rounds for took in one.outcome.latencies]
    failures: Counter[str] = Counter()
    for one in rounds:
        failures.update(one.outcome.failures)
    cuts = quantiles(latencies, n=100, method="inclusive") if len(latencies) > 1 else None
    return Cell(
        store=store,
        photo=photo,
        measure=measure,
        rate=median(one.rate for one in rounds),
        p50=cuts[49] if cuts else None,
        p99=cuts[98] if cuts else None,
        rates=[one.rate for one in rounds],
        cpu={
            process: median(
                1000 * one.cpu[process] / max(1, len(one.outcome.latencies)) for one in rounds
            )
            for process in rounds[0].cpu
        },
        others=median(one.others for one in rounds),
        succeeded=len(latencies),
        failures=dict(failures.most_common()),
    )
