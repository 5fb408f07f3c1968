"""How many jobs a worker has in hand."""

import asyncio

from services.imaging.jobs.capacity import AdaptiveLimit


async def test_short_jobs_make_room_and_long_ones_take_it_back() -> None:
    room = AdaptiveLimit(2)
    for _ in range(40):
        room.observe(0.01)
    assert room.free == 32
    for _ in range(17):
        room.take()
    assert not room.exceeded
    room.halve()
    assert room.exceeded
    assert room.free == 0
    for _ in range(20):
        room.observe(0.2)
    for _ in range(16):
        room.give_back()
    assert room.free == 1, "one is in hand, of one a slot"


async def test_who_waits_for_room_hears_that_there_is_more() -> None:
    room = AdaptiveLimit(1)
    room.take()
    waiting = asyncio.create_task(room.wait())
    await asyncio.sleep(0)
    room.observe(0.01)
    await asyncio.wait_for(waiting, 5)
