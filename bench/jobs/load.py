"""The loads: a burst, one job after the other, and jobs at a steady rate."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import quantiles
from typing import Any

from bench.jobs.systems.interface import Client

TIMEOUT = 30.0  # seconds until a submission, or a job that has not ended, counts as failed


@dataclass(frozen=True)
class Load:
    """The load that the benchmark requests from a client process.

    With `concurrent`, a burst with that many concurrent submissions; with `rate`, that many
    submissions a second; with neither, each job is submitted once the previous one has ended.
    """

    jobs: int
    concurrent: int = 0
    rate: float = 0.0


@dataclass
class Outcome:
    """Figures of a load.

    A latency is the time from the moment a job was due for submission until the client has seen
    its end; bursts have none.
    """

    seconds: float = 0.0  # from the first submission until the last end was seen
    ended: int = 0
    failures: dict[str, int] = field(default_factory=dict)  # by the name of the exception
    latencies: list[float] = field(default_factory=list)  # ms
    cpu: float = 0.0  # seconds

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


async def run(client: Client, images: Sequence[str], load: Load) -> tuple[Outcome, Any]:
    """Submit a job for each image; return the figures and one job that succeeded, or None."""
    generator = LoadGenerator(client)
    cpu, begin = time.process_time(), time.perf_counter()
    if load.concurrent:
        await generator.burst(images, load.concurrent)
    elif load.rate:
        await generator.steady(images, load.rate)
    else:
        for image in images:
            await generator.one(image, time.perf_counter())
    generator.outcome.seconds = time.perf_counter() - begin
    generator.outcome.cpu = time.process_time() - cpu
    return generator.outcome, generator.succeeded


def percentiles(latencies: Sequence[float]) -> tuple[float, float]:
    """Return the 50th and the 99th percentile."""
    cuts = quantiles(latencies, n=100, method="inclusive")
    return cuts[49], cuts[98]


class LoadGenerator:
    """Submits jobs, awaits their ends, and counts both."""

    def __init__(self, client: Client) -> None:
        self.outcome = Outcome()
        self.succeeded: Any = None
        self._client = client

    async def burst(self, images: Sequence[str], concurrent: int) -> None:
        """Submit all jobs as fast as possible; await their ends in the order of submission."""
        remaining = iter(images)
        accepted: asyncio.Queue[Any] = asyncio.Queue()

        async def submit() -> None:
            for image in remaining:
                if (job := await self._counted(self._client.submit(image))) is not None:
                    accepted.put_nowait(job)

        async def await_ends() -> None:
            while (job := await accepted.get()) is not None:
                await self._await_end(job)

        waiters = [asyncio.create_task(await_ends()) for _ in range(self._client.waiters)]
        await asyncio.gather(*(submit() for _ in range(concurrent)))
        for _ in waiters:
            accepted.put_nowait(None)
        await asyncio.gather(*waiters)

    async def steady(self, images: Sequence[str], rate: float) -> None:
        """Submit `rate` jobs a second, whether or not earlier ones have ended."""
        begin = time.perf_counter()
        tasks = []
        for number, image in enumerate(images):
            due = begin + number / rate
            await asyncio.sleep(due - time.perf_counter())
            tasks.append(asyncio.create_task(self.one(image, due)))
        await asyncio.gather(*tasks)

    async def one(self, image: str, due: float) -> None:
        """Submit a job that was due at `due` (of `time.perf_counter`), and await its end."""
        job = await self._counted(self._client.submit(image))
        if job is not None and await self._await_end(job):
            self.outcome.latencies.append(1000 * (time.perf_counter() - due))

    async def _await_end(self, job: Any) -> bool:
        ended = await self._counted(self._ended(job))
        if ended:
            self.outcome.ended += 1
            self.succeeded = job
        return bool(ended)

    async def _ended(self, job: Any) -> bool:
        await self._client.ended(job)
        return True

    async def _counted(self, step: Awaitable[Any]) -> Any:
        """Return the result of `step`, or None after counting its failure."""
        try:
            async with asyncio.timeout(TIMEOUT):
                return await step
        except Exception as exc:
            kind, failures = type(exc).__name__, self.outcome.failures
            if kind not in failures:
                sys.stderr.write(f"{kind}: {exc}\n")
            failures[kind] = failures.get(kind, 0) + 1
            return None
