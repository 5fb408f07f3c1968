"""Figures of one contender in one case, and the medians of several rounds."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.imaging import fidelity
from bench.imaging.cases import Case
from bench.imaging.systems.interface import Running
from bench.processes import cpu_of, machine_time, memory_of

CLIENT = "client"


@dataclass(frozen=True)
class Measurement:
    """Figures of a case. A figure that could not be measured is None, or an empty dict."""

    rate: float  # results a second
    p50: float | None  # ms
    answered: int
    failures: dict[str, int]  # by reason
    psnr: float | None  # dB
    bytes: int | None  # size of a result
    cpu: dict[str, float]  # ms a result, by process
    busy: float | None  # cores used by the system and the client
    others: float | None  # cores used by anything else on the machine
    memory: dict[str, float]  # MiB after the load, by process

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


def measure(running: Running, case: Case, warm_up: float, seconds: float) -> Measurement:
    """Request one result and check it, then measure the load; times are in seconds.

    Returns a failed measurement when the first request fails, whatever the reason.
    """
    try:
        result = running.request(case)
        fidelity.check(result, case)
    # Broad, because one system's failure in one case must not end the run: its row has the reason.
    except Exception as exc:
        return failed(f"{type(exc).__name__} {exc}"[:120])
    processes = running.processes()
    before, own = _used(processes), time.process_time()
    started, whole = time.perf_counter(), machine_time()
    outcome = running.load(case, warm_up, seconds)
    took, whole = time.perf_counter() - started, machine_time() - whole
    used = {name: spent - before[name] for name, spent in _used(processes).items()}
    used[CLIENT] = time.process_time() - own
    memory = {name: memory_of(root) for name, root in processes.items()}
    running.clear()
    return Measurement(
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


def failed(reason: str) -> Measurement:
    """Return the measurement of a case that could not be measured."""
    return Measurement(0.0, None, 0, {reason: 1}, None, None, {}, None, None, {})


def median_of(rounds: Sequence[Measurement]) -> Measurement:
    """Return the median of each figure, with the answers and failures of all rounds added up."""
    failures: Counter[str] = Counter()
    for one in rounds:
        failures.update(one.failures)
    return Measurement(
        rate=median(one.rate for one in rounds),
        p50=_median_of_known([one.p50 for one in rounds]),
        answered=sum(one.answered for one in rounds),
        failures=dict(failures.most_common()),
        psnr=rounds[0].psnr,
        bytes=rounds[0].bytes,
        cpu=_medians([one.cpu for one in rounds]),
        busy=_median_of_known([one.busy for one in rounds]),
        others=_median_of_known([one.others for one in rounds]),
        memory=_medians([one.memory for one in rounds]),
    )


def cores() -> int:
    """Return how many pool processes a system has: one for each core."""
    return os.cpu_count() or 1


def _used(processes: dict[str, int]) -> dict[str, float]:
    return {name: cpu_of([root]) for name, root in processes.items()}


def _median_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for found in rounds for name in found)
    return {name: median(found[name] for found in rounds if name in found) for name in names}
