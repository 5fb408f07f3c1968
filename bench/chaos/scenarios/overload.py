"""Scenario: offer three times the capacity; the excess is refused, and no memory grows."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from bench.chaos.client import Client, Order, Refused, client, orders, photographs
from bench.chaos.listeners import stream_listener
from bench.chaos.outcome import Outcome
from bench.chaos.suite import Suite, suite
from contracts.errors import Code

FACTOR = 3  # rate offered, as a multiple of the capacity
MAX_QUEUE = 20  # jobs that may wait
SAMPLE = 40  # jobs that measure the capacity
GROWTH = 1.15  # limit of the last quarter's memory, relative to the second quarter's

ENV = {
    "DARKROOM_MAX_QUEUE": str(MAX_QUEUE),
    # Short lives: after some seconds, as much expires as is added.
    "DARKROOM_JOB_TTL": "2",
    "DARKROOM_RENDITION_TTL": "2",
    "DARKROOM_IDEMPOTENCY_TTL": "2",
}


@dataclass
class _Offered:
    """Acceptances, refusals and memory while jobs are offered at a steady rate."""

    accepted: list[str] = field(default_factory=list)  # job ids
    refusals: list[float] = field(default_factory=list)  # seconds until each refusal arrived
    memory: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # MiB

    async def submit(self, http: Client, order: Order) -> None:
        """Submit once; record the acceptance or the refusal. Raises any other Refused."""
        sent = time.monotonic()
        try:
            self.accepted.append(await http.submit(order))
        except Refused as refused:
            if not (refused.is_temporary and refused.code is Code.OVERLOADED):
                raise
            self.refusals.append(time.monotonic() - sent)

    async def sample_memory(self, running: Suite) -> None:
        info = await running.redis.info("memory")
        self.memory["Redis"].append(info["used_memory"] / (1 << 20))
        self.memory["gateway"].append(running.gateway.memory())
        self.memory["worker"].append(running.workers[0].memory())

    def assert_no_growth(self) -> None:
        for name, samples in self.memory.items():
            _, second, _, last = _quarters(samples)
            assert last < GROWTH * second, f"{name} grows, MiB: {samples}"

    def memory_notes(self) -> dict[str, float | str]:
        """Return the mean memory of the second and of the last quarter."""
        quarters = {name: _quarters(samples) for name, samples in self.memory.items()}
        return {
            f"{name}, MiB": f"{second:.1f}, {last:.1f}"
            for name, (_, second, _, last) in quarters.items()
        }


async def overload_is_refused(folder: Path, *, seconds: int) -> Outcome:
    """Offer jobs at a steady rate for `seconds`.

    Raises AssertionError unless every accepted job succeeds once and memory stays level; raises
    Refused for a refusal other than 503 `overloaded` with Retry-After.
    """
    async with (
        suite(folder, workers=1, env=ENV) as running,
        client(running.gateway.url) as http,
        stream_listener(running.redis) as stream,
    ):
        images = [await http.upload(image) for image in photographs(10, 1200, 900)]
        first, *wanted = orders(images, SAMPLE + 100 * FACTOR * seconds, width=900)
        started = time.monotonic()
        sample = await http.submit_all([first, *wanted[: SAMPLE - 1]])
        await stream.wait_for_ends(sample, seconds=60)
        capacity = SAMPLE / stream.seconds_since(started)

        offered, started = _Offered(), time.monotonic()
        await _offer(offered, running, http, wanted[SAMPLE:], FACTOR * capacity, seconds)
        await stream.wait_for_ends(offered.accepted, seconds=60)
        took = stream.seconds_since(started)
        stream.assert_one_end(offered.accepted)
        assert offered.refusals, "the rate offered was above the capacity"
        offered.assert_no_growth()
        await running.assert_no_open_jobs()
        return Outcome(
            "overload",
            jobs=len(offered.accepted),
            kills=0,
            stall=stream.longest_stall(),
            seconds=took,
            notes={
                "offered a second": round(FACTOR * capacity),
                "done a second": round(len(offered.accepted) / took),
                "refused": len(offered.refusals),
                "median time to a refusal, ms": round(1000 * median(offered.refusals), 1),
                **offered.memory_notes(),
            },
        )


async def _offer(
    offered: _Offered,
    running: Suite,
    http: Client,
    wanted: Sequence[Order],
    rate: float,
    seconds: int,
) -> None:
    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            tasks.create_task(offered.submit(http, wanted[number]))
            if number / rate >= len(offered.memory["Redis"]) * seconds / 60:
                await offered.sample_memory(running)


def _quarters(samples: Sequence[float]) -> list[float]:
    quarter = len(samples) // 4
    return [mean(samples[start : start + quarter]) for start in range(0, 4 * quarter, quarter)]
