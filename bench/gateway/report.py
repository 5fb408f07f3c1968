"""The results in words, figures and a picture: gateway.md, gateway.json and gateway.svg."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from statistics import median

from bench.chart import Line, line_chart
from bench.environments import ROOT
from bench.gateway.wrk import Answered

RESULTS = ROOT / "bench" / "results"

NOTES = """\
The load test of "Integrating Apache Kafka With Python Asyncio Web Applications" (Confluent), with
Redis and the runtime's outbox in the place of Kafka. A FastAPI application under uvicorn with one
worker answers POST /items; wrk's users each post one item after the other.

- no-op: validates the item and answers.
- fire-and-forget: `publish_soon` to a stream, and nobody asks how it went.
- out-of-band: `publish_soon` with an `on_delivery` that the outbox calls.
- with-callback: an `on_delivery` that hands over to the event loop.
- awaited: `await broker.publish(...)`, and then the answer.
- round-trip: `await broker.request(...)` over a stream to an echo worker in another process.
"""

# Below no-op at 400 users, as the article has it: about 7 %, 3 % less again, a further 12 %.
ARTICLE = {
    "no-op": 1.0,
    "fire-and-forget": 0.93,
    "out-of-band": 0.93,
    "with-callback": 0.93 * 0.97,
    "awaited": 0.93 * 0.97 * 0.88,
}


def median_of(rounds: Sequence[Answered]) -> Answered:
    """Each figure's median; the failures of all rounds together."""
    return Answered(
        rate=median(found.rate for found in rounds),
        p50=median(found.p50 for found in rounds),
        p99=median(found.p99 for found in rounds),
        failed=sum(found.failed for found in rounds),
        undelivered=sum(found.undelivered for found in rounds),
    )


@dataclass(frozen=True)
class Report:
    """What a run has measured: by way and number of users."""

    found: Mapping[tuple[str, int], Answered]
    rounds: int

    def write(self) -> None:
        """Write all three files."""
        RESULTS.mkdir(exist_ok=True)
        rows = [
            {"way": way, "users": users, **asdict(answered)}
            for (way, users), answered in self.found.items()
        ]
        lines = [
            Line(way, tuple(self.found[way, users].rate for users in self._levels))
            for way in self._ways
        ]
        title = "POST /items: requests a second by concurrent users"
        ticks = [str(users) for users in self._levels]
        (RESULTS / "gateway.md").write_text(self.markdown())
        (RESULTS / "gateway.json").write_text(json.dumps(rows, indent=1) + "\n")
        (RESULTS / "gateway.svg").write_text(line_chart(title, ticks, lines))

    def markdown(self) -> str:
        """The rates, and beside them what the article found."""
        most = self._levels[-1]
        heads = ["", *(f"{users} users" for users in self._levels)]
        heads += [f"of no-op at {most}", "in the article", f"p50, p99 ms at {most}", "failed, lost"]
        lines = ["# Publishing from a web application", "", NOTES, self._machine(), ""]
        lines += [_row(heads), _row(["---"] + ["--:"] * (len(heads) - 1))]
        for way in self._ways:
            last = self.found[way, most]
            share = last.rate / self.found["no-op", most].rate
            article = f"{ARTICLE[way]:.0%}" if way in ARTICLE else "-"
            rates = [f"{self.found[way, users].rate:,.0f}" for users in self._levels]
            failed = sum(self.found[way, users].failed for users in self._levels)
            lost = sum(self.found[way, users].undelivered for users in self._levels)
            latency = f"{last.p50:.1f}, {last.p99:.1f}"
            lines.append(
                _row([way, *rates, f"{share:.0%}", article, latency, f"{failed:,}, {lost:,}"])
            )
        return "\n".join([*lines, ""])

    @property
    def _ways(self) -> list[str]:
        return list(dict.fromkeys(ARTICLE) | dict.fromkeys(way for way, _ in self.found))

    @property
    def _levels(self) -> list[int]:
        return sorted({users for _, users in self.found})

    def _machine(self) -> str:
        packages = [f"{name} {version(name)}" for name in ("fastapi", "uvicorn", "redis")]
        return (
            f"Medians of {self.rounds} rounds; {os.cpu_count()} cores shared by everything, "
            f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
            f"{', '.join(packages)}."
        )


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
