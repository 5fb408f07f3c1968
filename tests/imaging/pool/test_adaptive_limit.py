"""The limit of jobs that a worker holds."""

import asyncio

from services.imaging.pool.adaptive_limit import AdaptiveLimit


async def test_the_limit_grows_with_short_renders_and_shrinks_with_long_ones() -> None:
    limit = AdaptiveLimit(2, 32)
    for _ in range(40):
        limit.observe(0.01)
    assert limit.free == 32
    for _ in range(17):
        limit.take()
    assert not limit.exceeded
    limit.halve()
    assert limit.exceeded
    assert limit.free == 0
    for _ in range(20):
        limit.observe(0.2)
    for _ in range(16):
        limit.give_back()
    assert limit.free == 1, "the limit is one job a slot, and one is taken"


async def test_a_reader_that_waits_resumes_when_the_limit_grows() -> None:
    limit = AdaptiveLimit(1, 16)
    limit.take()
    waiting = asyncio.create_task(limit.wait())
    await asyncio.sleep(0)
    limit.observe(0.01)
    await asyncio.wait_for(waiting, 5)
