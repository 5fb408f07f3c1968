"""The report of sizes asked for at once: srcset.md with tables, srcset.json, and a chart."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.bars import bar_chart
from bench.environments import RESULTS
from bench.markdown import commit, header, machine, row

NOTES = """\
Widths of 320, 640, 960, 1280 and 1920 pixels in WebP 80, of a synthetic photograph that no pool
process has in memory, from the whole suite on one machine. *At once*: over five connections.
*One after another*: each size of a copy of its own, so that nothing is shared. CPU is of the
gateway, Valkey and the imaging service with its pool. Decoding is by the clock and added up over
the sizes, so it is longer where processes wait for a core. `others busy` is the number of cores
that anything else used meanwhile: times compare only where it is almost none."""


@dataclass(frozen=True)
class Figures:
    """Figures of a source in one of the ways to ask for it; times are in milliseconds."""

    source: str
    way: str
    wall: float  # until the last answer
    cpu: float
    decoding: float
    others: float  # cores used by anything else


@dataclass(frozen=True)
class Report:
    """The figures of a run."""

    cells: Sequence[Figures]
    rounds: int

    def write(self) -> None:
        """Write all files to `bench/results`."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "srcset.md").write_text(self.markdown())
        (RESULTS / "srcset.svg").write_text(self.chart())
        document = {
            "commit": commit(),
            "machine": self._machine(),
            "cells": [asdict(one) for one in self.cells],
        }
        (RESULTS / "srcset.json").write_text(json.dumps(document, indent=1) + "\n")

    def markdown(self) -> str:
        """Return the tables."""
        lines = ["# Sizes at once", "", NOTES, "", self._machine()]
        for source, cells in self._by_source().items():
            lines += ["", f"## {source}", ""]
            lines += header("", "last answer, ms", "CPU, ms", "decoding, ms", "others busy")
            for one in cells:
                figures = (f"{value:,.0f}" for value in (one.wall, one.cpu, one.decoding))
                lines.append(row(one.way, *figures, f"{one.others:.2f}"))
        return "\n".join(lines) + "\n"

    def chart(self) -> str:
        """Return the CPU as bars."""
        groups = {
            source: [(one.way, one.cpu) for one in cells]
            for source, cells in self._by_source().items()
        }
        return bar_chart("Five sizes of one source: milliseconds of CPU", groups)

    def _machine(self) -> str:
        return f"{self.rounds} rounds, medians; {machine('pillow', 'faststream')}."

    def _by_source(self) -> dict[str, list[Figures]]:
        sources = dict.fromkeys(one.source for one in self.cells)
        return {name: [one for one in self.cells if one.source == name] for name in sources}
