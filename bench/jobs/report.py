"""The results in words, figures and a picture: jobs.md, jobs.json and jobs.svg."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from bench.chart import Line, line_chart
from bench.environments import ROOT
from bench.jobs.contenders import SLOTS
from bench.jobs.measurements import Figures

RESULTS = ROOT / "bench" / "results"

NOTES = """\
Each job takes a JPEG of 320 x 240 pixels out of Redis, makes it 96 wide and gray, encodes it (about
a millisecond, by the very same function everywhere) and keeps the result in Redis, with a TTL.
Every job has a picture of its own, so nothing is found done. Each system has a Valkey of its own,
which writes an append-only file and syncs it every second; {slots} renders can run at once. A job
is acknowledged after the work everywhere; its result can be looked up, and one of each load is
compared with what the render gives. All log at WARNING.

A burst is submitted by one client process, {at_once} submissions at once, and lasts from the first
submission until the client has seen the last end. Latencies are from the submission (the moment it
was due) until its end was seen: one job at a time, and at a steady pace of half of the system's own
rate. CPU is microseconds a job in the largest burst, of all processes of a kind, children included.

- darkroom runtime: `services.imaging` as it is run, one process and {slots} pool processes; jobs
  come by `Jobs.submit` in the client and are heard of on the events' stream: no HTTP, as the others
  have none. What it does beside is in its figures: a record and an event for each change,
  submitters that take turns, a process that can be killed without the worker.
- darkroom HTTP: the same with the gateway before it: `POST /v1/jobs` of an image that is there, and
  the end over `WS /v1/live`.
- taskiq: RedisStreamBroker acknowledged `when_saved`, RedisAsyncResultBackend; {slots} worker
  processes, 10 tasks and 10 entries a read each (defaults 100); a result is looked for every 5 ms
  (default 200).
- taskiq HTTP: the same behind a FastAPI of two dozen lines: a task is posted, and its end, looked
  for as above, pushed over a WebSocket. It checks, records and limits nothing.
- arq: {slots} worker processes, 10 jobs at once each; jobs and results are looked for every 5 ms
  (default 500).
- celery: prefork with {slots} processes, `acks_late`, a prefetch of 1; 4 threads submit, results
  come over Pub/Sub.

In a burst those who look for results do so in the order of submission, 4 at a time, so that they
don't spend the machine on looking. taskiq and arq render in a thread, as their loops go on
meanwhile: in trials that was a fifth quicker than in the loop. All have hiredis, and uvloop where
there is a loop.
"""


@dataclass(frozen=True)
class Report:
    """What a run has measured, by contender."""

    figures: Mapping[str, Figures]
    rounds: int
    bursts: tuple[int, ...]
    at_once: int

    def write(self) -> None:
        """Write all three files."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "jobs.md").write_text(self.markdown())
        (RESULTS / "jobs.json").write_text(self.json())
        (RESULTS / "jobs.svg").write_text(self.svg())

    def markdown(self) -> str:
        """The rates, the latencies, the CPU."""
        notes = NOTES.format(slots=SLOTS, at_once=self.at_once)
        lines = ["# Jobs, side by side", "", notes, self._machine(), ""]
        lines += ["## Jobs a second, by the size of the burst", ""]
        sizes = sorted(self.bursts)
        lines += _head("", *(f"{jobs:,}" for jobs in sizes), "failed of all")
        for name, found in self.figures.items():
            rates = [f"{found.rates[jobs]:,.0f}" for jobs in sizes]
            lines.append(_row(name, *rates, _failed(found)))
        lines += ["", "## Milliseconds from submission to the end seen", ""]
        lines += _head("", "alone: p50", "p99", "half load, jobs/s", "p50", "p99")
        for name, found in self.figures.items():
            low, half = (map("{:,.1f}".format, pair) for pair in (found.low, found.half))
            lines.append(_row(name, *low, f"{found.pace:,.0f}", *half))
        lines += ["", "## Microseconds of CPU a job", ""]
        kinds = ("workers", "server", "gateway", "client")
        lines += _head("", *kinds)
        for name, found in self.figures.items():
            used = [f"{found.cpu[kind]:,.0f}" if kind in found.cpu else "-" for kind in kinds]
            lines.append(_row(name, *used))
        return "\n".join([*lines, ""])

    def json(self) -> str:
        """Everything, for programs."""
        rows = [{"contender": name, **found.to_dict()} for name, found in self.figures.items()]
        return json.dumps({"machine": self._machine(), "systems": rows}, indent=1) + "\n"

    def svg(self) -> str:
        """Jobs a second over the sizes of the bursts."""
        sizes = sorted(self.bursts)
        lines = [
            # One word, so that each way in has a colour of its own.
            Line(name.replace(" ", "-"), tuple(found.rates[jobs] for jobs in sizes))
            for name, found in self.figures.items()
        ]
        title = "Jobs a second by the size of the burst, a render of 1 ms"
        return line_chart(title, [f"{jobs:,}" for jobs in sizes], lines)

    def _machine(self) -> str:
        packages = [f"{name} {version(name)}" for name in ("faststream", "redis", "pillow")]
        return (
            f"Medians of {self.rounds} rounds; {os.cpu_count()} cores, {platform.system()} "
            f"{platform.machine()}, Python {platform.python_version()}, {', '.join(packages)}."
        )


def _head(first: str, *others: str) -> list[str]:
    return [_row(first, *others), _row("---", *["--:"] * len(others))]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _failed(found: Figures) -> str:
    failed = sum(found.failures.values())
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in found.failures.items())
    return f"{failed:,} of {found.ended + failed:,}" + (f": {kinds}" if kinds else "")
