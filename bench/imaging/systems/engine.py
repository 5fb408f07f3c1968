"""Darkroom's pipeline alone, a process a core: `python -m bench.imaging.systems.engine`.

Each process answers a line of its standard input with one, and ends when that input does.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from bench.environments import ROOT
from bench.imaging.cases import CASES, Case
from bench.imaging.load import Outcome
from bench.imaging.systems.interface import Running
from services.imaging.engine import pipeline


class Engine:
    """The processes, each with one render under way."""

    def __init__(self, pool: list["subprocess.Popen[str]"]) -> None:
        self._pool = pool

    def one(self, case: Case) -> bytes:
        return pipeline.run(case.photo.read(), case.pipeline()).data

    def play(self, case: Case, warm_up: float, seconds: float) -> Outcome:
        told = json.dumps({"case": case.name, "warm_up": warm_up, "seconds": seconds})
        for process in self._pool:
            _tell(process, told)
        heard: list[dict[str, Any]] = [json.loads(_hear(process)) for process in self._pool]
        times = [float(one) for found in heard for one in found["times"]]
        return Outcome(
            rate=len(times) / seconds,
            p50=median(times) if times else None,
            answered=sum(int(found["answered"]) for found in heard),
            failures={},
        )

    def processes(self) -> dict[str, int]:
        return {f"pool {number}": process.pid for number, process in enumerate(self._pool)}

    def forget(self) -> None:
        pass


@contextmanager
def run(slots: int | None = None) -> Iterator[Running]:
    """As many processes as there are cores, or `slots`, ready."""
    pool = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.imaging.systems.engine"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(slots or os.cpu_count() or 1)
    ]
    try:
        for process in pool:
            _hear(process)
        yield Engine(pool)
    finally:
        for process in pool:
            process.communicate(timeout=30)


def _tell(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _hear(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("A process of the engine ended early.")
    return line


def main() -> None:
    """Be one of the processes."""
    pipeline.warm_up()
    cases = {case.name: case for case in CASES}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        told = json.loads(line)
        case = cases[told["case"]]
        answer = _rendered(case, float(told["warm_up"]), float(told["seconds"]))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _rendered(case: Case, warm_up: float, seconds: float) -> dict[str, Any]:
    data, asked = case.photo.read(), case.pipeline()
    begin = time.perf_counter() + warm_up
    end = begin + seconds
    times: list[float] = []
    answered = 0
    while (started := time.perf_counter()) < end:
        pipeline.run(data, asked)
        done = time.perf_counter()
        answered += 1
        if begin <= done <= end:
            times.append(1000 * (done - started))
    return {"times": times, "answered": answered}


if __name__ == "__main__":
    main()
