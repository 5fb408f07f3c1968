"""Darkroom's engine alone, in a process for each core: `python -m bench.imaging.systems.engine`.

A process reads a case from each line of standard input and answers with a line of JSON. It ends
when standard input ends.
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
    """The processes, each with one render at a time."""

    def __init__(self, pool: list["subprocess.Popen[str]"]) -> None:
        self._pool = pool

    def request(self, case: Case) -> bytes:
        return pipeline.run(case.photo.read(), case.pipeline()).data

    def load(self, case: Case, warm_up: float, seconds: float) -> Outcome:
        line = json.dumps({"case": case.name, "warm_up": warm_up, "seconds": seconds})
        for process in self._pool:
            _send(process, line)
        answers: list[dict[str, Any]] = [json.loads(_receive(process)) for process in self._pool]
        times = [float(one) for answer in answers for one in answer["times"]]
        return Outcome(
            rate=len(times) / seconds,
            p50=median(times) if times else None,
            answered=sum(int(answer["answered"]) for answer in answers),
            failures={},
        )

    def processes(self) -> dict[str, int]:
        return {f"pool {number}": process.pid for number, process in enumerate(self._pool)}

    def clear(self) -> None:
        pass


@contextmanager
def run(slots: int | None = None) -> Iterator[Running]:
    """Start `slots` processes, by default one for each core, and yield once all are ready."""
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
            _receive(process)
        yield Engine(pool)
    finally:
        for process in pool:
            process.communicate(timeout=30)


def _send(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _receive(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("A process of the engine ended early.")
    return line


def main() -> None:
    """Run as one of the processes."""
    pipeline.warm_up()
    cases = {case.name: case for case in CASES}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        load = json.loads(line)
        answer = _rendered(cases[load["case"]], float(load["warm_up"]), float(load["seconds"]))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _rendered(case: Case, warm_up: float, seconds: float) -> dict[str, Any]:
    """Render the case again and again; return the milliseconds of each measured render."""
    data, requested = case.photo.read(), case.pipeline()
    begin = time.perf_counter() + warm_up
    end = begin + seconds
    times: list[float] = []
    answered = 0
    while (started := time.perf_counter()) < end:
        pipeline.run(data, requested)
        done = time.perf_counter()
        answered += 1
        if begin <= done <= end:
            times.append(1000 * (done - started))
    return {"times": times, "answered": answered}


if __name__ == "__main__":
    main()
