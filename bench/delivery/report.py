"""The report: delivery.md with tables, delivery.json with figures, delivery.svg with a chart."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bench.bars import bar_chart
from bench.delivery import gallery
from bench.delivery.busy import CLIENTS, Pair
from bench.delivery.comparison import CONNECTIONS, Cell
from bench.delivery.contenders import RENDERED, STORED, UNCHANGED
from bench.delivery.gallery import Loaded
from bench.delivery.goals import goals_of
from bench.delivery.questions import SOURCES
from bench.delivery.stage import SLOTS
from bench.delivery.trips import HITS, RENDERS, Trips
from bench.environments import RESULTS
from bench.goals import Goal, table_of
from bench.imaging.report import others_versions
from bench.markdown import commit, header, machine, row

NOTES = f"""\
wrk asks with one thread over {CONNECTIONS} connections, one request in flight each, on the machine
that it shares with the systems. All of them run at once and are measured in turns; every second
round runs backwards. A ratio is the median of the rounds' ratios. The first answer of each round is
checked: status, type, size, and the picture. CPU is of all processes of a system, for one answer;
`others busy` is the number of cores that anything else but wrk used: with much of that, no figure
means anything.

- picture: one WebP of 264 x 216 pixels, made from a photograph of 6 megapixels. Darkroom's and that
  of the bare application have the same bytes; thumbor makes its own.
- bare uvicorn: an ASGI application that sends the picture from memory, or a 304, in one process
  with uvloop and httptools.
- darkroom, from memory: a gateway with its defaults, in one process, and in two on one port
  (`--workers 2`).
- new heads: each request has a header field that no other has, as requests of many kinds of clients
  do. The gateway parses them; without it, it knows the bytes of a head that has come before.
- darkroom, from the store: the same with `DARKROOM_DELIVERY_CACHE=0`, so that each answer is read
  from Redis, which has the bytes of small results.
- thumbor, stored: one process that finds the picture among its results (`file_storage`).
- thumbnails: {SOURCES} photographs of 500 pixels in turn, to about 250 x 204, JPEG 80. No question
  comes twice, so nothing is reused. Darkroom renders in {SLOTS} pool processes, thumbor has {SLOTS}
  processes, each with its part of the connections, and ipx one with sharp's threads; both read the
  photographs from a folder.
"""

_GROUPS = {
    STORED: "One picture of 13 kB, answers a second",
    UNCHANGED: "304, answers a second",
    RENDERED: "Thumbnails of 500-pixel photographs, a second",
}


@dataclass(frozen=True)
class Report:
    """The figures of a run; `failures` are those of whole parts and of missing systems."""

    cells: Sequence[Cell]
    beside: Sequence[Pair]
    trips: Sequence[Trips]
    pages: Sequence[Loaded]
    failures: Sequence[str]
    rounds: int
    seconds: int

    def write(self) -> None:
        """Write the three files to `bench/results`."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "delivery.md").write_text(self.markdown())
        (RESULTS / "delivery.json").write_text(self.json())
        (RESULTS / "delivery.svg").write_text(self.chart())

    def markdown(self) -> str:
        """Return all tables."""
        lines = ["# Delivery, side by side", "", NOTES, self._machine(), ""]
        if self.failures:
            lines += ["Not measured:", "", *(f"- {failure}" for failure in self.failures), ""]
        lines += table_of(self._goals)
        lines += ["", *self._rates()]
        if self.beside:
            lines += self._beside()
        if self.trips:
            lines += self._trips()
        if self.pages:
            lines += gallery.table(self.pages)
        return "\n".join(lines)

    def json(self) -> str:
        """Return every figure."""
        document = {
            "commit": commit(),
            "machine": self._machine(),
            "goals": [one.to_dict() for one in self._goals],
            "cells": [one.to_dict() for one in self.cells],
            "beside_renders": [one.to_dict() for one in self.beside],
            "trips": [one.to_dict() for one in self.trips],
            "pages": [one.to_dict() for one in self.pages],
            "failures": list(self.failures),
        }
        return json.dumps(document, indent=1) + "\n"

    def chart(self) -> str:
        """Return the rates as bars."""
        groups = {
            heading: [
                (one.contender, one.rate) for one in self.cells if one.group == group and one.rate
            ]
            for group, heading in _GROUPS.items()
        }
        return bar_chart("Delivery over 16 connections", {k: v for k, v in groups.items() if v})

    def _rates(self) -> list[str]:
        processes = list(dict.fromkeys(name for one in self.cells for name in one.cpu))
        heads = ["a second", "p50 ms", "p99 ms", "bytes", "CPU us an answer", "others busy"]
        lines = ["## Rates", "", *header("", *heads, "failures")]
        for one in self.cells:
            cpu = sum(one.cpu.values()) if one.cpu else None
            figures = map(_figure, [one.rate, one.p50, one.p99])
            size = f"{one.bytes:,}" if one.bytes else ""
            failed = ", ".join(f"{why} ({n:,})" for why, n in one.failures.items())
            others = f"{one.others:.2f}" if one.others is not None else ""
            lines.append(row(one.contender, *figures, size, _figure(cpu), others, failed))
        lines += ["", "CPU time of one answer in microseconds, by process:", ""]
        lines += header("", *processes)
        for one in self.cells:
            lines.append(row(one.contender, *(_figure(one.cpu.get(name)) for name in processes)))
        return [*lines, ""]

    def _beside(self) -> list[str]:
        heads = ["p50 ms idle", "p99 ms idle", "p50 ms busy", "p99 ms busy", "p99 busy / idle"]
        lines = [
            "## Pictures beside renders",
            "",
            f"A picture from memory, alone and while {CLIENTS} clients have a photograph of 12 "
            f"megapixels resized and blurred in the {SLOTS} slots. In both, the gateway is loaded "
            "as much as it can bear; wrk, the gateway and the renders share the cores. The second "
            "begins a second before it is measured.",
            "",
            *header("connections, round", *heads, "a second idle", "busy", "renders meanwhile"),
        ]
        for number, one in enumerate(self.beside):
            levels = len({pair.connections for pair in self.beside})
            figures = [one.idle_p50, one.idle_p99, one.busy_p50, one.busy_p99, one.ratio]
            figures += [one.idle_rate, one.busy_rate, float(one.renders)]
            name = f"{one.connections}, {number // levels + 1}"
            lines.append(row(name, *map(_figure, figures)))
        return [*lines, ""]

    def _trips(self) -> list[str]:
        lines = [
            "## Trips to Redis",
            "",
            "Of one request, without those that the services make anyway; means of "
            f"{HITS} requests for pictures and {RENDERS} for thumbnails, one after the other. A "
            "proxy in front of Redis counts them: a trip begins when a service sends something "
            "over a connection on which Redis has sent the last word.",
            "",
            *header("", "gateway", "imaging"),
        ]
        lines += [row(one.name, f"{one.gateway:.2f}", f"{one.imaging:.2f}") for one in self.trips]
        return [*lines, ""]

    @property
    def _goals(self) -> list[Goal]:
        return goals_of(self.cells, self.beside, self.trips)

    def _machine(self) -> str:
        here = ", ".join([machine("uvicorn", "httptools", "pillow"), *others_versions()])
        return f"{self.rounds} rounds of {self.seconds} s a measure; {here}."


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
