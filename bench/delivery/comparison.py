"""All contenders under the same load, in turns, and the medians of the rounds."""

import resource
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import Any

from bench.command_line import progress
from bench.delivery.contenders import Contender
from bench.delivery.stage import Stage
from bench.delivery.target import Target, WrongAnswer, check
from bench.gateway import wrk
from bench.processes import cpu_of, machine_time

CONNECTIONS = 16
WARM_UP = 1  # seconds of the first load of each contender, which is not reported

_PATHS = Path(__file__).with_name("paths.lua")
_NEW_HEADS = Path(__file__).with_name("heads.lua")
_MAX_RATE = 1000  # thumbnails a second that have different questions


@dataclass(frozen=True)
class Sample:
    """Figures of one round."""

    load: wrk.Load
    bytes: int  # of the first answer's body
    cpu: dict[str, float]  # microseconds an answer, by process
    others: float  # cores that anything but the system and wrk used


@dataclass(frozen=True)
class Cell:
    """Figures of a contender: medians of the rounds that succeeded. Without any, there are none."""

    contender: str
    group: str
    rate: float | None  # answers a second
    p50: float | None  # ms
    p99: float | None  # ms
    bytes: int | None
    cpu: dict[str, float]  # microseconds an answer, by process
    others: float | None  # cores
    rates: list[float | None]  # a second, of each round
    cpus: list[float | None]  # microseconds an answer, of all processes, of each round
    failures: dict[str, int]  # by reason

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


class Rounds:
    """Measures contenders in turns, and keeps the figures of each round."""

    def __init__(self, contenders: Sequence[Contender], stage: Stage, seconds: int) -> None:
        self._contenders = contenders
        self._stage = stage
        self._seconds = seconds
        self._targets: dict[str, Target] = {}
        self._found: defaultdict[str, list[Sample | str]] = defaultdict(list)

    def measure(self, *, backwards: bool) -> None:
        """Measure each contender once. One that fails is noted, and does not end the run."""
        for contender in self._contenders[:: -1 if backwards else 1]:
            try:
                found: Sample | str = self._measure(contender)
            # Broad, because one system's failure must not lose the others: its row has the reason.
            except Exception as exc:
                found = f"{type(exc).__name__} {exc}"[:160]
            self._found[contender.name].append(found)
            told = found if isinstance(found, str) else f"{found.load.rate:,.0f} a second"
            progress(f"  {contender.name}: {told}")

    def cells(self) -> list[Cell]:
        """Return the figures of all contenders."""
        return [_cell(one, self._found[one.name]) for one in self._contenders]

    def _measure(self, contender: Contender) -> Sample:
        if contender.name not in self._targets:
            target = contender.prepare(self._stage)
            check(target)
            ask(target, CONNECTIONS, WARM_UP)
            self._targets[contender.name] = target
        target = self._targets[contender.name]
        size = check(target)
        before, own, whole = used(target.processes), _children(), machine_time()
        started = time.perf_counter()
        load = ask(target, CONNECTIONS, self._seconds)
        took = time.perf_counter() - started
        whole, own = machine_time() - whole, _children() - own
        spent = {name: cpu - before[name] for name, cpu in used(target.processes).items()}
        return Sample(
            load,
            size,
            {name: 1e6 * cpu / max(1, load.answered) for name, cpu in spent.items()},
            max(0.0, whole - own - sum(spent.values())) / took,
        )


def ask(target: Target, connections: int, seconds: int) -> wrk.Load:
    """Send the target's next questions over `connections`, each with one in flight.

    Raises WrongAnswer if there were more answers than questions, so that some came twice.
    """
    url = f"http://127.0.0.1:{target.port}"
    first = next(target.questions)
    if next(target.questions) == first:
        return wrk.run(
            url + first.path,
            connections=connections,
            seconds=seconds,
            script=_NEW_HEADS if target.new_heads else None,
            headers=target.headers,
        )
    questions = list(islice(target.questions, _MAX_RATE * seconds))
    with NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{question.path}\n" for question in questions)
        file.flush()
        load = wrk.run(
            url,
            connections=connections,
            seconds=seconds,
            script=_PATHS,
            arguments=[file.name],
            headers=target.headers,
        )
    if load.answered + connections > len(questions):
        raise WrongAnswer("questions came twice: raise _MAX_RATE")
    return load


def used(processes: Mapping[str, int]) -> dict[str, float]:
    """Return the CPU seconds of each process with its descendants."""
    return {name: cpu_of([pid]) for name, pid in processes.items()}


def ratio_of(
    cells: Mapping[str, Cell], ours: str, theirs: str, *, by: str = "rates"
) -> float | None:
    """Return the median over the rounds of one contender's figure divided by another's.

    `by` is `rates` or `cpus`. Both were measured in the same round. None if either was not.
    """
    if ours not in cells or theirs not in cells:
        return None
    pairs = zip(getattr(cells[ours], by), getattr(cells[theirs], by), strict=True)
    ratios = [one / other for one, other in pairs if one and other]
    return median(ratios) if ratios else None


def _children() -> float:
    """Return the CPU seconds of child processes that have ended: of wrk."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def _cell(contender: Contender, rounds: Sequence[Sample | str]) -> Cell:
    samples = [one for one in rounds if isinstance(one, Sample)]
    failures = Counter(one for one in rounds if isinstance(one, str))
    if failed := sum(one.load.failed for one in samples):
        failures["requests failed"] = failed

    def middle(values: Sequence[float]) -> float | None:
        return median(values) if values else None

    processes = samples[0].cpu if samples else {}
    return Cell(
        contender.name,
        contender.group,
        rate=middle([one.load.rate for one in samples]),
        p50=middle([one.load.p50 for one in samples]),
        p99=middle([one.load.p99 for one in samples]),
        bytes=samples[0].bytes if samples else None,
        cpu={name: median(one.cpu[name] for one in samples) for name in processes},
        others=middle([one.others for one in samples]),
        rates=[one.load.rate if isinstance(one, Sample) else None for one in rounds],
        cpus=[sum(one.cpu.values()) if isinstance(one, Sample) else None for one in rounds],
        failures=dict(failures.most_common()),
    )
