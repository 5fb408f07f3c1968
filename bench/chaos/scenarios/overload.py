"""Scenario: offer three times the capacity; the excess is refused, and no memory keeps growing."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import mean, median

from bench.chaos.client import Client, Order, Refused, client, endless_orders, photographs
from bench.chaos.listeners import stream_listener
from bench.chaos.outcome import Outcome
from bench.chaos.suite import Suite, suite
from contracts.errors import Code

FACTOR = 3  # rate offered, as a multiple of the capacity
MAX_QUEUE = 20  # jobs that may wait
SAMPLE = 40  # jobs that measure the capacity
PAUSE = 0.05  # seconds until the next orders and the next sample of the memory
LIFE = 1  # seconds that a job's records stay after its end
# Seconds until as much expires as is added: a job waits, is done, and its records stay for their
# life, which Redis ends up to a second late.
FILLING = LIFE + 1.5
GROWTH = 1.15  # limit of the mean memory in the second half of the time after that, by the first

ENV = {
    "DARKROOM_MAX_QUEUE": str(MAX_QUEUE),
    "DARKROOM_JOB_TTL": str(LIFE),
    "DARKROOM_RENDITION_TTL": str(LIFE),
    "DARKROOM_IDEMPOTENCY_TTL": str(LIFE),
}


@dataclass
class _Offered:
    """Acceptances, refusals and memory while jobs are offered."""

    number: int = 0  # orders submitted
    accepted: list[str] = field(default_factory=list)  # job ids
    refusals: list[float] = field(default_factory=list)  # seconds until each refusal arrived
    started: float = field(default_factory=time.monotonic)
    # Of each process: seconds since the start, and MiB.
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

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
        for name, mebibytes in {
            "Redis": info["used_memory"] / (1 << 20),
            "gateway": running.gateway.memory(),
            "worker": running.workers[0].memory(),
        }.items():
            self.memory[name].append((time.monotonic() - self.started, mebibytes))

    def halves(self) -> dict[str, tuple[float, float]]:
        """Return the mean MiB of each process in both halves of the time after FILLING."""
        return {name: _halves(samples) for name, samples in self.memory.items()}

    def assert_no_growth(self) -> None:
        for name, (first, second) in self.halves().items():
            assert second < GROWTH * first, f"{name} grows, s and MiB: {self.memory[name]}"


async def overload_is_refused(folder: Path, *, seconds: int) -> Outcome:
    """Offer jobs at three times the rate of their ends for `seconds`, several times FILLING.

    Raises AssertionError unless every accepted job succeeds once and memory stays level; raises
    Refused for a refusal other than 503 `overloaded` with Retry-After.
    """
    async with (
        suite(folder, workers=1, env=ENV) as running,
        client(running.gateway.url) as http,
        stream_listener(running.redis) as stream,
    ):
        images = [await http.upload(image) for image in photographs(10, 1200, 900)]
        wanted = endless_orders(images, width=900)
        started = time.monotonic()
        sample = await http.submit_all(list(islice(wanted, SAMPLE)))
        await stream.wait_for_ends(sample, seconds=60)
        capacity = SAMPLE / stream.seconds_since(started)

        offered = _Offered()
        async with asyncio.TaskGroup() as calls:
            while (elapsed := time.monotonic() - offered.started) < seconds:
                # The machine may be faster or slower now than it was for the sample.
                done = max(capacity * elapsed, len(stream.ended()) - SAMPLE)
                due = max(0, int(FACTOR * done) - offered.number)
                for order in islice(wanted, due):
                    calls.create_task(offered.submit(http, order))
                offered.number += due
                await offered.sample_memory(running)
                await asyncio.sleep(PAUSE)
        await stream.wait_for_ends(offered.accepted, seconds=60)
        took = stream.seconds_since(offered.started)
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
                "offered a second": round(offered.number / seconds),
                "done a second": round(len(offered.accepted) / took),
                "refused": len(offered.refusals),
                "median time to a refusal, ms": round(1000 * median(offered.refusals), 1),
                **{
                    f"{name}, MiB": f"{first:.1f}, {second:.1f}"
                    for name, (first, second) in offered.halves().items()
                },
            },
        )


def _halves(samples: Sequence[tuple[float, float]]) -> tuple[float, float]:
    level = [mebibytes for seconds, mebibytes in samples if seconds > FILLING]
    middle = len(level) // 2
    return mean(level[:middle]), mean(level[middle:])
