"""Three times what can be done is asked for: the rest is refused, and nothing grows."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from bench.chaos.client import Client, Order, Refused, client, orders, photographs
from bench.chaos.listeners import hearing
from bench.chaos.outcome import Outcome
from bench.chaos.suite import Suite, suite
from contracts.errors import Code

TIMES = 3  # what can be done
QUEUE = 20  # jobs that may wait
SAMPLE = 40  # jobs that tell how many a second can be done
GROWTH = 1.15  # the last quarter's memory, by the second quarter's, at most

ENV = {
    "DARKROOM_MAX_QUEUE": str(QUEUE),
    # So short that what is kept is as much after some seconds as it is in the end.
    "DARKROOM_JOB_TTL": "2",
    "DARKROOM_RENDITION_TTL": "2",
    "DARKROOM_IDEMPOTENCY_TTL": "2",
}


@dataclass
class _Offer:
    """What came of handing jobs in at a pace, whether or not there is room."""

    accepted: list[str] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)  # seconds until each was told
    memory: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # MiB

    async def hand_in(self, http: Client, order: Order) -> None:
        asked = time.monotonic()
        try:
            self.accepted.append(await http.submit(order))
        except Refused as refused:
            if not (refused.for_now and refused.code is Code.OVERLOADED):
                raise
            self.refusals.append(time.monotonic() - asked)

    async def sample(self, running: Suite) -> None:
        info = await running.redis.info("memory")
        self.memory["Redis"].append(info["used_memory"] / (1 << 20))
        self.memory["gateway"].append(running.gateway.memory())
        self.memory["worker"].append(running.workers[0].memory())

    def assert_flat(self) -> None:
        for name, samples in self.memory.items():
            _, second, _, last = _quarters(samples)
            assert last < GROWTH * second, f"{name} grows, MiB: {samples}"

    def memory_then_and_now(self) -> dict[str, float | str]:
        quarters = {name: _quarters(samples) for name, samples in self.memory.items()}
        return {
            f"{name}, MiB": f"{second:.1f}, {last:.1f}"
            for name, (_, second, _, last) in quarters.items()
        }


async def overload_is_refused(folder: Path, *, seconds: int) -> Outcome:
    """For so many seconds, jobs come at an even pace, whatever becomes of them."""
    async with (
        suite(folder, workers=1, env=ENV) as running,
        client(running.gateway.url) as http,
        hearing(running.redis) as stream,
    ):
        images = [await http.upload(image) for image in photographs(10, 1200, 900)]
        first, *wanted = orders(images, SAMPLE + 100 * TIMES * seconds, width=900)
        started = time.monotonic()
        sample = await http.hand_in([first, *wanted[: SAMPLE - 1]])
        await stream.until_ended(sample, seconds=60)
        capacity = SAMPLE / stream.took(started)

        offer, started = _Offer(), time.monotonic()
        await _offer(offer, running, http, wanted[SAMPLE:], TIMES * capacity, seconds)
        await stream.until_ended(offer.accepted, seconds=60)
        took = stream.took(started)
        stream.assert_once(offer.accepted)
        assert offer.refusals, "there was more than could be done"
        offer.assert_flat()
        await running.assert_nothing_is_left()
        return Outcome(
            "overload",
            jobs=len(offer.accepted),
            kills=0,
            stall=stream.longest_stall(),
            seconds=took,
            notes={
                "offered a second": round(TIMES * capacity),
                "done a second": round(len(offer.accepted) / took),
                "refused": len(offer.refusals),
                "told after, ms": round(1000 * median(offer.refusals), 1),
                **offer.memory_then_and_now(),
            },
        )


async def _offer(
    offer: _Offer, running: Suite, http: Client, wanted: Sequence[Order], pace: float, seconds: int
) -> None:
    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(pace * seconds)):
            await asyncio.sleep(max(0.0, started + number / pace - time.monotonic()))
            tasks.create_task(offer.hand_in(http, wanted[number]))
            if number / pace >= len(offer.memory["Redis"]) * seconds / 60:
                await offer.sample(running)


def _quarters(samples: Sequence[float]) -> list[float]:
    quarter = len(samples) // 4
    return [mean(samples[start : start + quarter]) for start in range(0, 4 * quarter, quarter)]
