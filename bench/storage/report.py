"""The report: storage.md with the tables, storage.json with every figure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.environments import RESULTS
from bench.goals import Goal, table_of
from bench.imaging.load import CONNECTIONS
from bench.markdown import commit, header, machine, row
from bench.storage.comparison import Cell, ratio_of
from bench.storage.deployment import SLOTS
from bench.storage.fill import Filled
from bench.storage.goals import goals_of
from bench.storage.measures import CACHED, COLD, FETCH, MEASURES, RANGE, RANGE_BYTES, UPLOAD, WIDTH
from bench.storage.readers import Read

NOTES = f"""\
Each store has a Valkey, a gateway and an imaging service with {SLOTS} pool processes of its own.
All of them run at once, and each measure is taken of one store after the other, with the same
images, over {CONNECTIONS} connections with one request in flight each. Photographs are synthetic
JPEGs; a comment makes the bytes of each image new. CPU is of a process and its descendants, for one
request; `others busy` is the number of cores that anything else used meanwhile: with much of that,
no figure means anything. A ratio is the median of the rounds' ratios.

- {UPLOAD}: `POST /v1/images` with new bytes, until they are stored durably, inspected and kept.
- {FETCH}: `GET /v1/images/(id)`, all bytes, compared with their digest by the gateway.
- {RANGE}: {RANGE_BYTES >> 10} KiB out of the middle of an image.
- {COLD}: each image to {WIDTH} pixels of width. Files of a disk store are in the file cache
  of the system, which wrote them a moment ago; the host has no copy of a bucket's object.
- {CACHED}: other widths and qualities of the same four images.
"""


@dataclass(frozen=True)
class Report:
    """The figures of a run."""

    cells: Sequence[Cell]
    peaks: Mapping[str, Mapping[str, float]]
    """MiB by store: the gateway's and Valkey's peaks in the comparison."""
    filled: Filled
    read: Read
    rounds: int

    def write(self) -> None:
        """Write both files to `bench/results`."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "storage.md").write_text(self.markdown())
        (RESULTS / "storage.json").write_text(self.json())

    def markdown(self) -> str:
        """Return all tables."""
        lines = ["# Stores, side by side", "", NOTES, self._machine(), ""]
        lines += table_of(self._goals)
        lines += ["", *self._rates()]
        for photo in self._photos:
            lines += self._all_figures(photo)
        return "\n".join([*lines, *self._memory(), *self._fill(), *self._readers()])

    def json(self) -> str:
        """Return every figure."""
        document = {
            "commit": commit(),
            "machine": self._machine(),
            "goals": [one.to_dict() for one in self._goals],
            "cells": [one.to_dict() for one in self.cells],
            "peaks_mib": self.peaks,
            "fill": self.filled.to_dict(),
            "readers": self.read.to_dict(),
        }
        return json.dumps(document, indent=1) + "\n"

    def _rates(self) -> list[str]:
        rates = {(one.store, one.photo, one.measure): one.rate for one in self.cells}
        first, *others = self._stores
        heads = [*self._stores, *(f"{store} / {first}" for store in others)]
        lines = ["## Requests a second", "", *header("", *heads)]
        for photo, measure in ((photo, measure) for measure in MEASURES for photo in self._photos):
            figures = [_figure(rates[store, photo, measure]) for store in self._stores]
            ratios = [ratio_of(self.cells, store, first, photo, measure) for store in others]
            lines.append(row(f"{measure}, {photo}", *figures, *(f"{one:.2f}" for one in ratios)))
        return [*lines, ""]

    def _all_figures(self, photo: str) -> list[str]:
        processes = list(dict.fromkeys(name for one in self.cells for name in one.cpu))
        heads = ["a second", "p50 ms", "p99 ms", *(f"{name} CPU ms" for name in processes)]
        heads += ["others busy", "failures"]
        lines = [f"## {photo}", "", *header("", *heads)]
        for one in self.cells:
            if one.photo == photo:
                cpu = [one.cpu.get(name) for name in processes]
                figures = [one.rate, one.p50, one.p99, *cpu, one.others]
                failed = ", ".join(f"{why} ({n:,})" for why, n in one.failures.items())
                lines.append(row(f"{one.measure}, {one.store}", *map(_figure, figures), failed))
        return [*lines, ""]

    def _memory(self) -> list[str]:
        names = list(dict.fromkeys(name for one in self.peaks.values() for name in one))
        lines = ["## Peaks of memory in MiB", "", *header("", *names)]
        for store, found in self.peaks.items():
            lines.append(row(store, *(_figure(found.get(name)) for name in names)))
        note = "The gateway's is that of its process (VmHWM), Valkey's its `used_memory_peak`."
        return [*lines, "", note, ""]

    def _fill(self) -> list[str]:
        found = self.filled
        size = found.image_bytes / 1e6
        seconds = ", ".join(f"{step} {took:.0f} s" for step, took in found.seconds.items())
        failed = ", ".join(f"{why} ({number:,})" for why, number in found.failures.items())
        return [
            "## The fill",
            "",
            f"{found.images:,} photographs of {size:.1f} MB into a disk store, with a Valkey of "
            f"{found.maxmemory:g} MiB that evicts nothing: each is uploaded, then each is rendered "
            "once, then each is fetched and compared with its digest.",
            "",
            f"- Uploaded {found.uploaded:,}, rendered {found.rendered:,}, kept {found.kept:,}.",
            f"- {seconds[:1].upper()}{seconds[1:]}.",
            f"- Failures: {failed or 'none'}.",
            f"- Each upload added {found.bytes_per_image:,.0f} bytes to Valkey's keys and values.",
            f"- At the end it used {found.used_memory:.1f} MiB, of which {found.hot_bytes:.1f} MiB "
            "were bytes of small results.",
            f"- The gateway's peak was {found.gateway_peak:.0f} MiB.",
            "",
        ]

    def _readers(self) -> list[str]:
        found = self.read
        failed = ", ".join(f"{why} ({number:,})" for why, number in found.failures.items())
        return [
            "## Slow readers",
            "",
            f"{found.readers} connections fetch one original of {found.image_bytes / 1e6:g} MB "
            f"from a disk store at {found.rate / 1e6:g} MB/s each.",
            "",
            f"- {found.complete} got all bytes, within {found.seconds:.0f} s. Failures: "
            f"{failed or 'none'}.",
            f"- The gateway's peak was {found.gateway_before:.0f} MiB before them and "
            f"{found.gateway_peak:.0f} MiB after them.",
            "",
        ]

    @property
    def _goals(self) -> list[Goal]:
        return goals_of(self.cells, self.filled, self.read)

    @property
    def _photos(self) -> list[str]:
        return list(dict.fromkeys(one.photo for one in self.cells))

    @property
    def _stores(self) -> list[str]:
        return list(dict.fromkeys(one.store for one in self.cells))

    def _machine(self) -> str:
        return f"{self.rounds} rounds; {machine('pillow', 'cykooz-resizer', 'faststream')}."


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
