"""The report: jobs.md with the tables, jobs.json with every figure, jobs.svg with the chart."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bench.chart import Line, line_chart
from bench.environments import RESULTS
from bench.jobs.contenders import SLOTS
from bench.jobs.measurements import Figures
from bench.markdown import commit, header, machine, ratio, row

NOTES = """\
Each job reads a JPEG of 320 x 240 pixels from Redis, makes it 96 pixels wide and gray, encodes it
(about a millisecond, by the same function everywhere) and stores the result in Redis with a TTL.
Every job has an image of its own, so no result can be reused. Each system has a Valkey of its own
with an append-only file that is synced every second; {slots} renders can run concurrently. Every
system acknowledges a job after the work and keeps its result; one result of each load is compared
with a local render. All log at WARNING.

A burst is submitted by one client process, {concurrent} submissions at a time, and lasts from the
first submission until the client has seen the last end. Latencies last from the moment a job was
due for submission until the client has seen its end: for one job at a time, and for a steady rate
of half of the system's own maximum. CPU is in microseconds a job in the largest burst, of all
processes of a kind and their children.

- darkroom runtime: `services.imaging` as in production, one process and {slots} pool processes. The
  client submits with `Jobs.submit` and reads ends from the event stream, without HTTP, as the other
  systems have none. Its figures include a record and an event for each change, fair turns between
  submitters, and pool processes that can crash without the worker.
- darkroom HTTP: the same behind the gateway: `POST /v1/jobs` for a stored image, ends over
  `WS /v1/live`.
- taskiq: RedisStreamBroker acknowledged `when_saved`, RedisAsyncResultBackend; {slots} worker
  processes, 10 tasks and 10 entries a read each (defaults 100); polls for a result every 5 ms
  (default 200).
- taskiq HTTP: the same behind a FastAPI application of two dozen lines: it posts a task and pushes
  the end, found by polling, over a WebSocket. It has no checks, records or limits.
- arq: {slots} worker processes, 10 concurrent jobs each; polls for jobs and results every 5 ms
  (default 500).
- celery: prefork with {slots} processes, `acks_late`, a prefetch of 1; 4 threads submit, results
  arrive over Pub/Sub.

In a burst, clients that poll for results do so in the order of submission, 4 at a time, to spend
less CPU on polling. taskiq and arq render in a thread, which keeps their event loops running: in
trials that was a fifth faster than rendering in the loop. All have hiredis, and uvloop where there
is a loop.
"""


@dataclass(frozen=True)
class Report:
    """The figures of a run, by contender's name."""

    figures: Mapping[str, Figures]
    rounds: int
    bursts: tuple[int, ...]
    concurrent: int

    def write(self) -> None:
        """Write the three files to `bench/results`."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "jobs.md").write_text(self.markdown())
        (RESULTS / "jobs.json").write_text(self.json())
        (RESULTS / "jobs.svg").write_text(self.svg())

    def markdown(self) -> str:
        """Return the tables of rates and their ratios, of latencies and of CPU time."""
        notes = NOTES.format(slots=SLOTS, concurrent=self.concurrent)
        lines = ["# Jobs, side by side", "", notes, self._machine(), ""]
        lines += ["## Jobs a second, by the size of the burst", ""]
        sizes = sorted(self.bursts)
        lines += header("", *(f"{jobs:,}" for jobs in sizes), "failed of all")
        for name, found in self.figures.items():
            rates = [f"{found.rates[jobs]:,.0f}" for jobs in sizes]
            lines.append(row(name, *rates, _failed(found)))
        lines += self._ratios(sizes)
        lines += ["", "## Milliseconds from submission until the end is seen", ""]
        lines += header("", "one at a time: p50", "p99", "half rate, jobs/s", "p50", "p99")
        for name, found in self.figures.items():
            pairs = (found.sequential, found.half_rate)
            sequential, half = (map("{:,.1f}".format, pair) for pair in pairs)
            lines.append(row(name, *sequential, f"{found.half:,.0f}", *half))
        lines += ["", "## Microseconds of CPU a job", ""]
        kinds = ("workers", "server", "gateway", "client")
        lines += header("", *kinds)
        for name, found in self.figures.items():
            used = [f"{found.cpu[kind]:,.0f}" if kind in found.cpu else "-" for kind in kinds]
            lines.append(row(name, *used))
        return "\n".join([*lines, ""])

    def json(self) -> str:
        """Return every figure."""
        rows = [{"contender": name, **found.to_dict()} for name, found in self.figures.items()]
        document = {"commit": commit(), "machine": self._machine(), "systems": rows}
        return json.dumps(document, indent=1) + "\n"

    def svg(self) -> str:
        """Return a chart of jobs a second over the sizes of the bursts."""
        sizes = sorted(self.bursts)
        lines = [
            # The chart gives each first word a colour; hyphens make the whole name one word.
            Line(name.replace(" ", "-"), tuple(found.rates[jobs] for jobs in sizes))
            for name, found in self.figures.items()
        ]
        title = "Jobs a second by the size of the burst, a render of 1 ms"
        return line_chart(title, [f"{jobs:,}" for jobs in sizes], lines)

    def _ratios(self, sizes: list[int]) -> list[str]:
        """Return a row for each pair of Darkroom and another system, both with or without HTTP."""
        lines = []
        for ours, mine in self.figures.items():
            for name, theirs in self.figures.items():
                pair = ours.startswith("darkroom") and not name.startswith("darkroom")
                if pair and ours.endswith("HTTP") == name.endswith("HTTP"):
                    ratios = [ratio(mine.rates[jobs], theirs.rates[jobs]) for jobs in sizes]
                    lines.append(row(f"{ours} / {name}", *ratios, ""))
        return lines

    def _machine(self) -> str:
        return f"Medians of {self.rounds} rounds; {machine('faststream', 'redis', 'pillow')}."


def _failed(found: Figures) -> str:
    failed = sum(found.failures.values())
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in found.failures.items())
    return f"{failed:,} of {found.ended + failed:,}" + (f": {kinds}" if kinds else "")
