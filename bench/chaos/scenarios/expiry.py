"""Scenario: run thousands of jobs; Redis holds no more than before once their TTLs have passed."""

import re
import time
from pathlib import Path
from typing import Any

from bench.chaos.client import client, orders, photographs
from bench.chaos.listeners import stream_listener
from bench.chaos.outcome import Outcome
from bench.chaos.suite import suite
from contracts.jobs import EVENTS, JOBS
from contracts.methods import GROUP
from contracts.usage import USAGE
from services.runtime.redis.keys import IMAGE, JOBS_ENDED, MAINTENANCE_LEADER, PREFIX
from tests.processes import until_answer

BATCH = 250  # jobs submitted before their ends are awaited
WARM_UP = 20  # jobs
ENV = {
    "DARKROOM_JOB_TTL": "5",
    "DARKROOM_RENDITION_TTL": "5",
    "DARKROOM_IDEMPOTENCY_TTL": "5",
    "DARKROOM_IMAGE_TTL": "6",
    "DARKROOM_JOB_TIMEOUT": "30",
}
TOLERANCE = 1.0  # MiB

_EXPIRING = re.compile(f"{PREFIX}(?:job|image|rendition|idempotency):".encode())


async def records_expire(folder: Path, *, jobs: int) -> Outcome:
    """Run `jobs` small jobs, every tenth with three variants, and wait for their expiry.

    Raises AssertionError when keys, memory or stream consumers remain.
    """
    async with (
        suite(folder, workers=1, env=ENV) as running,
        client(running.gateway.url) as http,
        stream_listener(running.redis) as stream,
    ):
        redis, images_to_upload = running.redis, list(photographs(20, 64, 48))

        async def run_jobs(number: int) -> float:
            images = [await http.upload(image) for image in images_to_upload]
            single = orders(images, number, width=32)
            wanted = single[: -number // 10] + orders(images, number // 10, width=40, variants=3)
            started = time.monotonic()
            for first in range(0, number, BATCH):
                accepted = await http.submit_all(wanted[first : first + BATCH])
                await stream.wait_for_ends(accepted, seconds=60)
                stream.assert_one_end(accepted)
            return stream.seconds_since(started)

        await run_jobs(WARM_UP)
        # These keys appear a moment after all others.
        await until_answer(lambda: _exist(redis, MAINTENANCE_LEADER, USAGE), seconds=10, every=0.1)
        before = await _used_memory(redis)
        keys = {key for key in await _keys(redis) if not _EXPIRING.match(key)}
        seconds = await run_jobs(jobs)
        most = await _used_memory(redis)

        async def is_as_before() -> bool:
            return await _keys(redis) <= keys and await _used_memory(redis) < before + TOLERANCE

        try:
            await until_answer(is_as_before, seconds=90, every=0.1)
        except TimeoutError:
            left, now = await _keys(redis) - keys, await _used_memory(redis)
            raise AssertionError(f"left: {left}; MiB, {before:.1f}, {now:.1f}") from None
        after = await _used_memory(redis)
        await running.assert_no_open_jobs()
        await running.workers[0].stop()
        assert await redis.xinfo_consumers(JOBS, GROUP) == []
        return Outcome(
            "expiry",
            jobs=jobs,
            kills=0,
            stall=stream.longest_stall(),
            seconds=seconds,
            notes={
                "Redis, MiB: before, with all, after": f"{before:.1f}, {most:.1f}, {after:.1f}",
                "keys": len(keys),
                "events left": int(await redis.xlen(EVENTS)),
            },
        )


async def _used_memory(redis: Any) -> float:
    """Return the memory of Redis's data and clients, in MiB."""
    return float((await redis.info("memory"))["used_memory"]) / (1 << 20)


async def _exist(redis: Any, *names: str) -> bool:
    return bool(await redis.exists(*names) == len(names))


async def _keys(redis: Any) -> set[bytes]:
    """Return the names of all keys except short-lived counters, and images that will expire.

    Jobs keep their images until their deadline, which is hours away.
    """
    found = set()
    async for key in redis.scan_iter(count=1000):
        held = key.startswith(IMAGE.encode()) and await redis.ttl(key) > 0
        if not held and not key.startswith(JOBS_ENDED.encode()):
            found.add(key)
    return found
