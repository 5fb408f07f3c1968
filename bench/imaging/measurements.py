"""What is measured of a system in one case, and the medians of several rounds."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.imaging import fidelity
from bench.imaging.cases import Case
from bench.imaging.processes import machine_time, memory_of
from bench.imaging.systems.interface import Running
from bench.processes import cpu_of

CLIENT = "client"


@dataclass(frozen=True)
class Cell:
    rate: float  # results a second
    p50: float | None  # ms
    answered: int
    failures: dict[str, int]
    psnr: float | None  # dB
    bytes: int | None  # of a result
    cpu: dict[str, float]  # ms a result, by process
    busy: float | None  # cores that were at work, all processes together
    others: float | None  # cores that were at work for something else
    memory: dict[str, float]  # MiB after the load, by process

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measured(running: Running, case: Case, warm_up: float, seconds: float) -> Cell:
    """One case, looked at and then repeated."""
    try:
        result = running.one(case)
        fidelity.check(result, case)
    # Whatever keeps one system from one case is told in its row; the others go on.
    except Exception as exc:
        return failed(f"{type(exc).__name__} {exc}"[:120])
    processes = running.processes()
    before, mine = _used(processes), time.process_time()
    started, whole = time.perf_counter(), machine_time()
    outcome = running.play(case, warm_up, seconds)
    took, whole = time.perf_counter() - started, machine_time() - whole
    used = {name: spent - before[name] for name, spent in _used(processes).items()}
    used[CLIENT] = time.process_time() - mine
    memory = {name: memory_of(root) for name, root in processes.items()}
    running.forget()
    return Cell(
        rate=outcome.rate,
        p50=outcome.p50,
        answered=outcome.answered,
        failures=outcome.failures,
        psnr=fidelity.psnr(result, case),
        bytes=len(result),
        cpu={name: 1000 * spent / max(1, outcome.answered) for name, spent in used.items()},
        busy=sum(used.values()) / took,
        others=max(0.0, whole - sum(used.values())) / took,
        memory=memory,
    )


def failed(why: str) -> Cell:
    """The cell of what could not be measured."""
    return Cell(0.0, None, 0, {why: 1}, None, None, {}, None, None, {})


def median_of(rounds: Sequence[Cell]) -> Cell:
    """Each figure's median; the answers and failures of all rounds together."""
    failures: Counter[str] = Counter()
    for cell in rounds:
        failures.update(cell.failures)
    return Cell(
        rate=median(cell.rate for cell in rounds),
        p50=_known([cell.p50 for cell in rounds]),
        answered=sum(cell.answered for cell in rounds),
        failures=dict(failures.most_common()),
        psnr=rounds[0].psnr,
        bytes=rounds[0].bytes,
        cpu=_medians([cell.cpu for cell in rounds]),
        busy=_known([cell.busy for cell in rounds]),
        others=_known([cell.others for cell in rounds]),
        memory=_medians([cell.memory for cell in rounds]),
    )


def _used(processes: dict[str, int]) -> dict[str, float]:
    return {name: cpu_of([root]) for name, root in processes.items()}


def _known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for found in rounds for name in found)
    return {name: median(found[name] for found in rounds if name in found) for name in names}


def cores() -> int:
    """How many processes do the pixels."""
    return os.cpu_count() or 1
