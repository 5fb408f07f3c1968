"""Places: never more than there are, and whoever is waited for comes first."""

import asyncio

from services.imaging.pool.priority import Slots


async def entered(slots: Slots, name: str, order: list[str], *, urgent: bool) -> None:
    async with slots.take(urgent=urgent):
        order.append(name)
        assert slots.taken <= slots.size
        await asyncio.sleep(0)


async def test_what_is_waited_for_comes_first_and_jobs_are_not_starved() -> None:
    slots, order = Slots(1), list[str]()
    async with asyncio.TaskGroup() as group, slots.take(urgent=True):
        for _ in range(3):
            group.create_task(entered(slots, "job", order, urgent=False))
        for _ in range(20):
            group.create_task(entered(slots, "render", order, urgent=True))
        await asyncio.sleep(0)
        assert order == []
    assert order[:9] == ["render"] * 8 + ["job"]
    assert order.count("job") == 3
    assert slots.taken == 0


async def test_who_stops_waiting_takes_no_place_with_them() -> None:
    slots = Slots(2)
    for _ in range(50):
        waiting = [
            asyncio.create_task(entered(slots, "x", [], urgent=n % 2 == 0)) for n in range(9)
        ]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert slots.taken == 0
