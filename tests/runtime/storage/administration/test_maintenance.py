"""One process at a time does the periodic work on the store."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.administration.maintenance import StoreMaintenance
from services.runtime.storage.administration.sweeper import Findings, Names, Sweeper
from services.runtime.storage.blobs import Storage


async def test_a_sweep_that_takes_long_stays_the_only_one(
    storage: Storage, redis: RedisClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps, renewed, execute = 0, asyncio.Event(), redis.execute

    async def watched(*command: Any) -> Any:
        reply = await execute(*command)
        if command[:2] == ("SET", keys.store_work("sweep")) and "NX" not in command:
            renewed.set()
        return reply

    async def sweep(self: Sweeper, **options: object) -> Findings:
        nonlocal sweeps
        sweeps += 1
        await renewed.wait()
        return Findings(unrecorded=Names(None), lost=Names(None))

    monkeypatch.setattr(redis, "execute", watched)
    monkeypatch.setattr(Sweeper, "sweep", sweep)
    both = [StoreMaintenance(name, storage, interval=6, grace=60) for name in "ab"]
    for one in both:
        await one.start()
    async with asyncio.timeout(30):
        await renewed.wait()
    assert sweeps == 1
    assert await redis.execute("TTL", keys.store_work("sweep")) > 0
    for one in both:
        await one.stop()
