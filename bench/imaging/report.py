"""The results in words and figures: imaging.md and imaging.json."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from bench.environments import LOCKS, ROOT
from bench.imaging.cases import Case
from bench.imaging.contenders import DARKROOM, ENGINE, OTHERS, WITH_ONE
from bench.imaging.measurements import CLIENT, Cell, cores
from bench.imaging.load import CONNECTIONS

RESULTS = ROOT / "bench" / "results"

NOTES = f"""\
Whole systems over HTTP, one after the other on one machine that the client shares: {CONNECTIONS}
connections, each with one request under way, and every result made anew. The same photographs, the
same sizes, Lanczos and quality 80; every first answer is looked at. The photographs are made, of
gradients, soft texture and grain. PSNR, in dB, is of the decoded answer against every pixel of the
source through Pillow's Lanczos. A request that fails is made again after 20 ms. CPU is that of the
system with all its processes and of the client, an answer; `others busy` are the cores that worked
for anything else meanwhile. Only figures with next to none of that compare: Darkroom's pool runs at
nice 5, and gives way to all else.

- darkroom GET: the gateway, a Valkey, and imaging with a pool process a core, as `make run` starts
  them. The photograph is uploaded once, and `GET /v1/images/(id)/render` asked with `no-cache`.
  A pool process has the photograph's bytes at hand from the render before, as others have them in
  the system's file cache; it decodes them each time.
- darkroom POST: the same; every `POST /v1/render` brings its photograph along, in bytes that are
  new (a comment in the JPEG), so that all of it is received, hashed, stored and rendered.
- ipx: Node.js and sharp, one process with the threads that it makes by itself, by its own command.
  It writes progressive JPEGs, which take longer; AVIF at sharp's default effort. It reads its
  photograph from a folder each time, and keeps no results.
- thumbor: a process a core, photographs from a folder, neither storage nor result storage. JPEGs
  are not progressive, AVIF at speed 8, both as Darkroom's.
- engine: Darkroom's `pipeline.run` in a loop, in a process a core: no HTTP, no Redis.
- ..., one process: with a pool of one, so that the pixels have a core, and the gateway, Valkey,
  imaging's event loop and the client what is left.
"""


@dataclass(frozen=True)
class Report:
    """What a run has measured, by contender and case, and the peaks of fresh processes by case."""

    cells: Mapping[tuple[str, str], Cell]
    cases: Sequence[Case]
    peaks: Mapping[str, tuple[float, float]]
    rounds: int
    seconds: float

    def write(self) -> None:
        """Write both files."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "imaging.md").write_text(self.markdown())
        (RESULTS / "imaging.json").write_text(self.json())

    def markdown(self) -> str:
        """The tables."""
        lines = ["# Pictures, side by side", "", NOTES, self._machine(), ""]
        lines += self._rates()
        for case in self.cases:
            lines += self._everything(case)
        if self.peaks:
            lines += self._engine()
        lines += self._shares()
        lines += self._memory()
        return "\n".join(lines)

    def json(self) -> str:
        """Everything, for programs."""
        rows = [
            {"contender": name, "case": case, **cell.to_dict()}
            for (name, case), cell in self.cells.items()
        ]
        peaks = {
            name: {"peak_mib": whole, "more_mib": more}
            for name, (whole, more) in self.peaks.items()
        }
        told = {"machine": self._machine(), "cells": rows, "fresh_processes": peaks}
        return json.dumps(told, indent=1) + "\n"

    def _rates(self) -> list[str]:
        lines = ["## Results a second", "", *_head("", *(case.name for case in self.cases))]
        for name in self._names:
            rates = [_figure(self._rate(name, case)) for case in self.cases]
            lines.append(_row(name, *rates))
        for other in (*OTHERS, ENGINE):
            for name in DARKROOM:
                if other in self._names and name in self._names:
                    ratios = [_times(self._ratio(name, other, case)) for case in self.cases]
                    lines.append(_row(f"{name} / {other}", *ratios))
        if set(WITH_ONE) <= set(self._names):
            ratios = [_times(self._ratio(*WITH_ONE, case)) for case in self.cases]
            lines.append(_row(" / ".join(WITH_ONE), *ratios))
        return [*lines, ""]

    def _everything(self, case: Case) -> list[str]:
        heads = ["a second", "p50 ms", "PSNR dB", "kB", "CPU ms a result", "cores busy"]
        heads += ["others busy", "failed, asked again"]
        lines = [f"## {case.name}: {case.title}", "", *_head("", *heads)]
        for name in self._names:
            cell = self.cells[name, case.name]
            figures = [cell.rate if cell.answered else None, cell.p50, cell.psnr]
            figures += [cell.bytes / 1000 if cell.bytes else None]
            figures += [sum(cell.cpu.values()) if cell.cpu else None, cell.busy, cell.others]
            lines.append(_row(name, *map(_figure, figures), _failed(cell)))
        return [*lines, ""]

    def _engine(self) -> list[str]:
        heads = ["megapixels a second and core", "MiB at the peak", "of these by the render"]
        heads.append("MiB a source megapixel")
        lines = ["## The engine alone", "", *_head("", *heads)]
        for case in self.cases:
            whole, more = self.peaks[case.name]
            pixels = case.photo.megapixels
            rate = self._rate(ENGINE, case)
            speed = rate * pixels / cores() if rate else None
            lines.append(_row(case.name, *map(_figure, (speed, whole, more, more / pixels))))
        note = "The peak is of a fresh process with every codec loaded, which renders once."
        return [*lines, "", note, ""]

    def _shares(self) -> list[str]:
        names = [name for name in DARKROOM if name in self._names]
        if not names:
            return []
        who = ("gateway", "Valkey", "imaging", CLIENT)
        heads = (f"{one} {unit}" for one in who for unit in ("ms", "%"))
        lines = ["## Where the suite's CPU time goes", "", *_head("", *heads)]
        for name in names:
            for case in self.cases:
                cpu = self.cells[name, case.name].cpu
                whole = sum(cpu.values())
                if whole:
                    figures = [(cpu[one], 100 * cpu[one] / whole) for one in who]
                    texts = [
                        text for ms, share in figures for text in (f"{ms:.2f}", f"{share:.0f}")
                    ]
                    lines.append(_row(f"{name}, {case.name}", *texts))
        note = "A result; imaging is its event loop and the pool processes, which fetch and store."
        return [*lines, "", note, ""]

    def _memory(self) -> list[str]:
        lines = ["## Memory after the load, in MiB", ""]
        lines += _head("", *(case.name for case in self.cases), "of which, at the most")
        for name in self._names:
            found = [self.cells[name, case.name].memory for case in self.cases]
            whole = [_figure(sum(one.values()) if one else None) for one in found]
            parts = dict.fromkeys(part for one in found for part in one)
            most = {part: max(one.get(part, 0) for one in found) for part in parts}
            told = ", ".join(f"{part} {mib:.0f}" for part, mib in most.items())
            lines.append(_row(name, *whole, told))
        note = "Pages that processes share count once. Valkey's has what the load has left there."
        return [*lines, "", note, ""]

    def _rate(self, name: str, case: Case) -> float | None:
        cell = self.cells.get((name, case.name))
        return cell.rate if cell and cell.answered else None

    def _ratio(self, name: str, other: str, case: Case) -> float | None:
        ours, theirs = self._rate(name, case), self._rate(other, case)
        return ours / theirs if ours and theirs else None

    def _machine(self) -> str:
        packages = [
            f"{name} {version(name)}" for name in ("pillow", "cykooz-resizer", "faststream")
        ]
        packages += [f"ipx {_of_npm('ipx')}", f"sharp {_of_npm('sharp')}", _of_pip("thumbor")]
        return (
            f"{self.rounds} rounds of {self.seconds:g} s a case, medians; {os.cpu_count()} cores, "
            f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
            f"{', '.join(packages)}."
        )

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.cells))


def _of_npm(name: str) -> str:
    lock = json.loads((LOCKS / "ipx" / "package-lock.json").read_text())
    return str(lock["packages"][f"node_modules/{name}"]["version"])


def _of_pip(name: str) -> str:
    lines = (LOCKS / "imaging-thumbor.lock").read_text().splitlines()
    pinned = next(line for line in lines if line.startswith(f"{name}=="))
    return pinned.split()[0].replace("==", " ")


def _head(first: str, *others: str) -> list[str]:
    return [_row(first, *others), _row("---", *["--:"] * len(others))]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _failed(cell: Cell) -> str:
    return ", ".join(f"{why} ({number:,})" for why, number in cell.failures.items())
