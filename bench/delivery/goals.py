"""The goals of delivery, and whether they were reached."""

from collections.abc import Iterator, Mapping, Sequence

from bench.delivery import contenders
from bench.delivery.busy import Pair, ratios_of
from bench.delivery.comparison import Cell, ratio_of
from bench.delivery.contenders import Contender
from bench.delivery.trips import Trips
from bench.goals import Goal

_RATES: Sequence[tuple[Contender, Contender, float]] = (
    (contenders.HITS, contenders.BARE, 0.4),
    (contenders.NEW_HEADS, contenders.BARE, 0.4),
    (contenders.HITS, contenders.THUMBOR, 5),
    (contenders.NEW_HEADS, contenders.THUMBOR, 5),
    (contenders.HITS_304, contenders.BARE_304, 0.5),
    (contenders.NEW_HEADS_304, contenders.BARE_304, 0.5),
    (contenders.FROM_STORE, contenders.THUMBOR, 2),
    (contenders.RENDERS, contenders.THUMBOR_RENDERS, 1.3),
    (contenders.RENDERS, contenders.IPX_RENDERS, 1.5),
)
_MAX_TRIPS = (0, 1, 3)  # from memory, from the store, rendered
_TWO_PROCESSES = 1.1  # of the CPU time with one
_BUSY = 3  # times the idle p99


def goals_of(cells: Sequence[Cell], beside: Sequence[Pair], trips: Sequence[Trips]) -> list[Goal]:
    """Return all goals about what was measured."""
    by_name = {cell.contender: cell for cell in cells}
    return [*_rates(by_name), *_processes(by_name), *_beside(beside), *_trips(trips)]


def _rates(cells: Mapping[str, Cell]) -> Iterator[Goal]:
    for ours, theirs, least in _RATES:
        ratio = ratio_of(cells, ours.name, theirs.name)
        if ratio is not None:
            text = f"{ours.name}: at least {least:g} times the rate of {theirs.name}"
            found = f"{ratio:.2f}"
            of_pictures = ratio_of(cells, ours.name, contenders.BARE.name)
            by_cpu = ratio_of(cells, theirs.name, ours.name, by="cpus")
            if ours is contenders.RENDERS and by_cpu is not None:
                # By CPU time, the share of the cores that a system leaves idle does not count.
                found += f" (by CPU time: {by_cpu:.2f})"
            if theirs is contenders.BARE_304 and of_pictures is not None:
                # A 304 has no body: beside a picture it would look better than it is.
                found += f" (of its rate of pictures: {of_pictures:.2f})"
            yield Goal(text, found, ratio >= least)


def _processes(cells: Mapping[str, Cell]) -> Iterator[Goal]:
    ratio = ratio_of(cells, contenders.TWO.name, contenders.HITS.name, by="cpus")
    if ratio is not None:
        text = "two gateway processes: at most 1.1 times the CPU time of one for a picture"
        yield Goal(text, f"{ratio:.2f}", ratio <= _TWO_PROCESSES)


def _beside(pairs: Sequence[Pair]) -> Iterator[Goal]:
    for connections, ratio in ratios_of(pairs).items():
        noun = "connection" if connections == 1 else "connections"
        text = (
            f"latency (p99) of a picture from memory over {connections} {noun} while renders fill "
            f"all slots: below {_BUSY} times the idle one"
        )
        yield Goal(text, f"{ratio:.2f}", ratio < _BUSY)


def _trips(found: Sequence[Trips]) -> Iterator[Goal]:
    for one, most in zip(found, _MAX_TRIPS, strict=False):
        trips = "no trip" if most == 0 else "1 trip" if most == 1 else f"{most} trips"
        yield Goal(
            f"{one.name}: {trips}{' at most' if most else ''} to Redis",
            f"{one.gateway:.1f} of the gateway, {one.imaging:.1f} of imaging",
            round(one.gateway + one.imaging, 1) <= most,
        )
