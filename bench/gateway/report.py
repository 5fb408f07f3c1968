"""The report: gateway.md with the table, gateway.json with figures, gateway.svg with a chart."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from bench.chart import Line, line_chart
from bench.environments import RESULTS
from bench.gateway.wrk import Measurement
from bench.markdown import commit, header, machine, row

NOTES = """\
The load test of "Integrating Apache Kafka With Python Asyncio Web Applications" (Confluent), with
Redis and the runtime's outbox in the place of Kafka. A FastAPI application under uvicorn with one
worker answers POST /items; each of wrk's users posts one item after the other. The application
tunes Python's garbage collector as Darkroom's services do, for all endpoints alike.

- no-op: validates the item and answers.
- fire-and-forget: `publish_soon` to a stream, without a callback.
- out-of-band: `publish_soon` with an `on_delivery` callback that the outbox calls.
- with-callback: an `on_delivery` callback that schedules another one on the event loop.
- awaited: `await broker.publish(...)`, and then the answer.
- round-trip: `await broker.request(...)` over a stream to an echo worker in another process.
"""

# Rates relative to no-op at 400 users, from the article: 7 % lower, 3 % lower again, then 12 %.
ARTICLE = {
    "no-op": 1.0,
    "fire-and-forget": 0.93,
    "out-of-band": 0.93,
    "with-callback": 0.93 * 0.97,
    "awaited": 0.93 * 0.97 * 0.88,
}


def median_of(rounds: Sequence[Measurement]) -> Measurement:
    """Return the median of each figure, with the failures of all rounds added up."""
    return Measurement(
        rate=median(found.rate for found in rounds),
        p50=median(found.p50 for found in rounds),
        p99=median(found.p99 for found in rounds),
        failed=sum(found.failed for found in rounds),
        undelivered=sum(found.undelivered for found in rounds),
    )


@dataclass(frozen=True)
class Report:
    """The figures of a run, by endpoint and number of users."""

    found: Mapping[tuple[str, int], Measurement]
    rounds: int

    def write(self) -> None:
        """Write the three files to `bench/results`."""
        RESULTS.mkdir(exist_ok=True)
        rows = [
            {"endpoint": endpoint, "users": users, **asdict(found)}
            for (endpoint, users), found in self.found.items()
        ]
        lines = [
            Line(endpoint, tuple(self.found[endpoint, users].rate for users in self._levels))
            for endpoint in self._endpoints
        ]
        title = "POST /items: requests a second by concurrent users"
        ticks = [str(users) for users in self._levels]
        (RESULTS / "gateway.md").write_text(self.markdown())
        document = {"commit": commit(), "machine": self._machine(), "cells": rows}
        (RESULTS / "gateway.json").write_text(json.dumps(document, indent=1) + "\n")
        (RESULTS / "gateway.svg").write_text(line_chart(title, ticks, lines))

    def markdown(self) -> str:
        """Return the rates next to the article's."""
        most = self._levels[-1]
        heads = [f"{users} users" for users in self._levels]
        heads += [f"of no-op at {most}", "in the article", f"p50, p99 ms at {most}", "failed, lost"]
        lines = ["# Publishing from a web application", "", NOTES]
        lines += [self._machine(), "", *header("", *heads)]
        for endpoint in self._endpoints:
            last = self.found[endpoint, most]
            share = last.rate / self.found["no-op", most].rate
            article = f"{ARTICLE[endpoint]:.0%}" if endpoint in ARTICLE else "-"
            rates = [f"{self.found[endpoint, users].rate:,.0f}" for users in self._levels]
            failed = sum(self.found[endpoint, users].failed for users in self._levels)
            lost = sum(self.found[endpoint, users].undelivered for users in self._levels)
            latency = f"{last.p50:.1f}, {last.p99:.1f}"
            figures = [*rates, f"{share:.0%}", article, latency, f"{failed:,}, {lost:,}"]
            lines.append(row(endpoint, *figures))
        return "\n".join([*lines, ""])

    def _machine(self) -> str:
        return f"Medians of {self.rounds} rounds; {machine('fastapi', 'uvicorn', 'redis')}."

    @property
    def _endpoints(self) -> list[str]:
        return list(dict.fromkeys(ARTICLE) | dict.fromkeys(endpoint for endpoint, _ in self.found))

    @property
    def _levels(self) -> list[int]:
        return sorted({users for _, users in self.found})
