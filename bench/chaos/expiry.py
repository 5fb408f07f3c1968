"""Thousands of jobs leave nothing behind once the lives of their records are over."""

import re
import time
from pathlib import Path
from typing import Any

from bench.chaos.client import client, orders, photographs
from bench.chaos.listeners import hearing
from bench.chaos.outcome import Outcome
from bench.chaos.suite import suite, until
from contracts.jobs import EVENTS, JOBS
from contracts.methods import GROUP
from contracts.usage import USAGE

AT_A_TIME = 250
WARM_UP = 20
LIFE = {
    "DARKROOM_JOB_TTL": "5",
    "DARKROOM_RENDITION_TTL": "5",
    "DARKROOM_IDEMPOTENCY_TTL": "5",
    "DARKROOM_IMAGE_TTL": "6",
}
SLACK = 1.0  # MiB
HOUSEKEEPER = "darkroom:housekeeper"

_LIVES = re.compile(rb"darkroom:(?:job|image|rendition|idempotency):")
_COUNTS = b"darkroom:jobs:ended:"  # how many ended in ten seconds; kept for two minutes


async def nothing_stays(folder: Path, *, jobs: int) -> Outcome:
    """So many small jobs, a few hundred at a time; every tenth has three variants."""
    async with (
        suite(folder, workers=1, env=LIFE) as running,
        client(running.gateway.url) as http,
        hearing(running.redis) as stream,
    ):
        redis, pictures = running.redis, list(photographs(20, 64, 48))

        async def go_through(number: int) -> float:
            images = [await http.upload(picture) for picture in pictures]
            single = orders(images, number, width=32)
            wanted = single[: -number // 10] + orders(images, number // 10, width=40, variants=3)
            started = time.monotonic()
            for first in range(0, number, AT_A_TIME):
                accepted = await http.hand_in(wanted[first : first + AT_A_TIME])
                await stream.until_ended(accepted, seconds=60)
                stream.assert_once(accepted)
            return stream.took(started)

        await go_through(WARM_UP)
        # They are there a moment after everything else.
        await until(lambda: _exist(redis, HOUSEKEEPER, USAGE), seconds=10)
        before = await _used(redis)
        keys = {key for key in await _keys(redis) if not _LIVES.match(key)}
        seconds = await go_through(jobs)
        most = await _used(redis)

        async def as_before() -> bool:
            return await _keys(redis) <= keys and await _used(redis) < before + SLACK

        try:
            await until(as_before, seconds=90)
        except TimeoutError:
            left, now = await _keys(redis) - keys, await _used(redis)
            raise AssertionError(f"left: {left}; MiB, {before:.1f}, {now:.1f}") from None
        after = await _used(redis)
        await running.assert_nothing_is_left()
        await running.workers[0].stop()
        assert await redis.xinfo_consumers(JOBS, GROUP) == []
        return Outcome(
            "nothing stays",
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


async def _used(redis: Any) -> float:
    """What Redis's data and clients take, in MiB."""
    return float((await redis.info("memory"))["used_memory"]) / (1 << 20)


async def _exist(redis: Any, *names: str) -> bool:
    return bool(await redis.exists(*names) == len(names))


async def _keys(redis: Any) -> set[bytes]:
    """The names of all there is, but for the counts of ends."""
    return {key async for key in redis.scan_iter(count=1000) if not key.startswith(_COUNTS)}
