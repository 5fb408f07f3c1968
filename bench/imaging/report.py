"""The report: imaging.md with the tables, imaging.json with every figure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.environments import LOCKS, RESULTS
from bench.imaging.cases import Case
from bench.imaging.contenders import DARKROOM, ENGINE, ONE_PROCESS, OTHERS
from bench.imaging.load import CONNECTIONS
from bench.imaging.measurements import CLIENT, Measurement, cores
from bench.imaging.systems.darkroom import SOURCES
from bench.markdown import commit, header, machine, ratio, row

NOTES = f"""\
Whole systems over HTTP, one after the other, on one machine that the client shares: {CONNECTIONS}
connections with one request in flight each; every result is rendered anew. All systems get the same
photographs, sizes, Lanczos filter and quality 80; the first answer of each case is checked. The
photographs are synthetic: gradients, soft texture and grain. PSNR, in dB, compares the decoded
answer with Pillow's Lanczos over every pixel of the source. After a failure the connection pauses
for 20 ms. CPU is of all processes of the system and of the client, for one answer; `others busy` is
the number of cores that anything else used meanwhile. Only figures with almost none of that
compare: Darkroom's pool runs at nice 5, and yields to everything else.

- darkroom GET: the gateway, a Valkey, and imaging with a pool process for each core, as `make run`
  starts them. The photograph is uploaded {SOURCES} times, in different bytes (a JPEG comment), and
  each request is `GET /v1/images/(id)/render` of the next one, with `no-cache`. So no render finds
  the pixels of its source in a pool process, and each decodes, as in the other systems.
- darkroom POST: the same; each `POST /v1/render` has the photograph as its body, in bytes that are
  new (a JPEG comment), so that it is received, hashed, stored and rendered.
- ipx: Node.js and sharp, one process with its default threads, started by its own command. It
  writes progressive JPEGs, which take longer; AVIF at sharp's default effort. It reads the
  photograph from a folder for each request, and stores no results.
- thumbor: a process for each core, photographs from a folder, neither storage nor result storage.
  JPEGs are not progressive, AVIF at speed 8, both as Darkroom's.
- engine: Darkroom's `pipeline.run` in a loop, in a process for each core, without HTTP and Redis.
- ..., one process: with a pool of one process, so that one core is left for the gateway, Valkey,
  imaging's event loop and the client.
"""


@dataclass(frozen=True)
class Report:
    """The figures of a run, by contender's name and case; peak memory by case, in MiB."""

    measurements: Mapping[tuple[str, str], Measurement]
    cases: Sequence[Case]
    peaks: Mapping[str, tuple[float, float]]
    rounds: int
    seconds: float

    def write(self) -> None:
        """Write both files to `bench/results`."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "imaging.md").write_text(self.markdown())
        (RESULTS / "imaging.json").write_text(self.json())

    def markdown(self) -> str:
        """Return all tables."""
        lines = ["# Image servers, side by side", "", NOTES, self._machine(), ""]
        lines += self._rates()
        for case in self.cases:
            lines += self._all_figures(case)
        if self.peaks:
            lines += self._engine()
        lines += self._cpu_shares()
        lines += self._memory()
        return "\n".join(lines)

    def json(self) -> str:
        """Return every figure."""
        rows = [
            {"contender": name, "case": case, **one.to_dict()}
            for (name, case), one in self.measurements.items()
        ]
        peaks = {
            name: {"peak_mib": whole, "more_mib": part}
            for name, (whole, part) in self.peaks.items()
        }
        document = {
            "commit": commit(),
            "machine": self._machine(),
            "cells": rows,
            "fresh_processes": peaks,
        }
        return json.dumps(document, indent=1) + "\n"

    def _rates(self) -> list[str]:
        lines = ["## Results a second", "", *header("", *(case.name for case in self.cases))]
        for name in self._names:
            rates = [_figure(self._rate(name, case)) for case in self.cases]
            lines.append(row(name, *rates))
        pairs = [(ours, other) for other in (*OTHERS, ENGINE) for ours in DARKROOM]
        for ours, other in [*pairs, ONE_PROCESS]:
            if {ours, other} <= set(self._names):
                rates_of = [
                    (self._rate(ours, case), self._rate(other, case)) for case in self.cases
                ]
                lines.append(row(f"{ours} / {other}", *(ratio(*pair) for pair in rates_of)))
        return [*lines, ""]

    def _all_figures(self, case: Case) -> list[str]:
        heads = ["a second", "p50 ms", "PSNR dB", "kB", "CPU ms a result", "cores busy"]
        heads += ["others busy", "failures"]
        lines = [f"## {case.name}: {case.title}", "", *header("", *heads)]
        for name in self._names:
            one = self.measurements[name, case.name]
            figures = [one.rate if one.answered else None, one.p50, one.psnr]
            figures += [one.bytes / 1000 if one.bytes else None]
            figures += [sum(one.cpu.values()) if one.cpu else None, one.busy, one.others]
            lines.append(row(name, *map(_figure, figures), _failed(one)))
        return [*lines, ""]

    def _engine(self) -> list[str]:
        heads = ["megapixels a second and core", "MiB at the peak", "of these by the render"]
        heads.append("MiB a source megapixel")
        lines = ["## The engine alone", "", *header("", *heads)]
        for case in self.cases:
            whole, part = self.peaks[case.name]
            pixels = case.photo.megapixels
            rate = self._rate(ENGINE, case)
            speed = rate * pixels / cores() if rate else None
            lines.append(row(case.name, *map(_figure, (speed, whole, part, part / pixels))))
        note = "The peak is of a fresh process with every codec loaded, which renders once."
        return [*lines, "", note, ""]

    def _cpu_shares(self) -> list[str]:
        names = [name for name in DARKROOM if name in self._names]
        if not names:
            return []
        kinds = ("gateway", "Valkey", "imaging", CLIENT)
        heads = (f"{kind} {unit}" for kind in kinds for unit in ("ms", "%"))
        lines = ["## CPU time by process, for one result", "", *header("", *heads)]
        for name in names:
            for case in self.cases:
                cpu = self.measurements[name, case.name].cpu
                whole = sum(cpu.values())
                if whole:
                    figures = [(cpu[kind], 100 * cpu[kind] / whole) for kind in kinds]
                    texts = [
                        text for ms, share in figures for text in (f"{ms:.2f}", f"{share:.0f}")
                    ]
                    lines.append(row(f"{name}, {case.name}", *texts))
        note = "`imaging` is its event loop and the pool processes, which fetch and store bytes."
        return [*lines, "", note, ""]

    def _memory(self) -> list[str]:
        lines = ["## Memory after the load, in MiB", ""]
        lines += header("", *(case.name for case in self.cases), "maximum by process")
        for name in self._names:
            found = [self.measurements[name, case.name].memory for case in self.cases]
            whole = [_figure(sum(one.values()) if one else None) for one in found]
            parts = dict.fromkeys(part for one in found for part in one)
            most = {part: max(one.get(part, 0) for one in found) for part in parts}
            maxima = ", ".join(f"{part} {mib:.0f}" for part, mib in most.items())
            lines.append(row(name, *whole, maxima))
        note = "Pages that processes share count once. Valkey's memory includes the load's results."
        return [*lines, "", note, ""]

    def _rate(self, name: str, case: Case) -> float | None:
        one = self.measurements.get((name, case.name))
        return one.rate if one and one.answered else None

    def _machine(self) -> str:
        here = ", ".join([machine("pillow", "cykooz-resizer", "faststream"), *others_versions()])
        return f"{self.rounds} rounds of {self.seconds:g} s a case, medians; {here}."

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.measurements))


def others_versions() -> list[str]:
    """Return names and versions of the compared systems' packages."""
    return [f"ipx {_of_npm('ipx')}", f"sharp {_of_npm('sharp')}", _of_pip("thumbor")]


def _of_npm(name: str) -> str:
    lock = json.loads((LOCKS / "ipx" / "package-lock.json").read_text())
    return str(lock["packages"][f"node_modules/{name}"]["version"])


def _of_pip(name: str) -> str:
    lines = (LOCKS / "imaging-thumbor.lock").read_text().splitlines()
    pinned = next(line for line in lines if line.startswith(f"{name}=="))
    return pinned.split()[0].replace("==", " ")


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _failed(one: Measurement) -> str:
    return ", ".join(f"{reason} ({number:,})" for reason, number in one.failures.items())
