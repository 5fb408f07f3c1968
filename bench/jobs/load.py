"""The loads: a burst, one job after the other, and jobs that come at a pace of their own."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import quantiles
from typing import Any

from bench.jobs.systems.interface import Client

PATIENCE = 30.0  # seconds until a job that has not ended is given up


@dataclass(frozen=True)
class Load:
    """What the runner asks of a client process. `at_once` is how many are submitted at once, or
    `pace` how many a second; with neither the next is submitted when the last has ended."""

    jobs: int
    at_once: int = 0
    pace: float = 0.0


@dataclass
class Outcome:
    """What came of it. Latencies are from when a job was to be submitted until its end was seen."""

    seconds: float = 0.0  # from the first submission until the last end was seen
    ended: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)  # ms
    cpu: float = 0.0  # seconds

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


async def run(client: Client, images: Sequence[str], load: Load) -> tuple[Outcome, Any]:
    """Put `load` on a system; what came of it, and one of the jobs that ended well."""
    crowd = Crowd(client)
    cpu, begin = time.process_time(), time.perf_counter()
    if load.at_once:
        await crowd.burst(images, load.at_once)
    elif load.pace:
        await crowd.paced(images, load.pace)
    else:
        for image in images:
            await crowd.one(image, time.perf_counter())
    crowd.outcome.seconds = time.perf_counter() - begin
    crowd.outcome.cpu = time.process_time() - cpu
    return crowd.outcome, crowd.last


def percentiles(latencies: Sequence[float]) -> tuple[float, float]:
    """The 50th and the 99th."""
    cuts = quantiles(latencies, n=100, method="inclusive")
    return cuts[49], cuts[98]


class Crowd:
    """Those who submit and those who wait, and what they have seen."""

    def __init__(self, client: Client) -> None:
        self.outcome = Outcome()
        self.last: Any = None
        self._client = client

    async def burst(self, images: Sequence[str], at_once: int) -> None:
        """Submit everything as fast as may be, and see the ends in the order of submission."""
        left = iter(images)
        accepted: asyncio.Queue[Any] = asyncio.Queue()

        async def submitter() -> None:
            for image in left:
                if (job := await self._counted(self._client.submit(image))) is not None:
                    accepted.put_nowait(job)

        async def watcher() -> None:
            while (job := await accepted.get()) is not None:
                await self._see(job)

        watchers = [asyncio.create_task(watcher()) for _ in range(self._client.watchers)]
        await asyncio.gather(*(submitter() for _ in range(at_once)))
        for _ in watchers:
            accepted.put_nowait(None)
        await asyncio.gather(*watchers)

    async def paced(self, images: Sequence[str], pace: float) -> None:
        """Submit at a steady pace, whatever becomes of what was submitted before."""
        begin = time.perf_counter()
        tasks = []
        for number, image in enumerate(images):
            due = begin + number / pace
            await asyncio.sleep(due - time.perf_counter())
            tasks.append(asyncio.create_task(self.one(image, due)))
        await asyncio.gather(*tasks)

    async def one(self, image: str, due: float) -> None:
        """Submit one that was due at a moment, and see its end."""
        job = await self._counted(self._client.submit(image))
        if job is not None and await self._see(job):
            self.outcome.latencies.append(1000 * (time.perf_counter() - due))

    async def _see(self, job: Any) -> bool:
        ended = await self._counted(self._ended(job))
        if ended:
            self.outcome.ended += 1
            self.last = job
        return bool(ended)

    async def _ended(self, job: Any) -> bool:
        await self._client.ended(job)
        return True

    async def _counted(self, step: Awaitable[Any]) -> Any:
        """What the step gives; None if it fails, which is counted."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await step
        except Exception as exc:
            kind, failures = type(exc).__name__, self.outcome.failures
            if kind not in failures:
                sys.stderr.write(f"{kind}: {exc}\n")
            failures[kind] = failures.get(kind, 0) + 1
            return None
