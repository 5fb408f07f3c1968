"""The priority semaphore: never more permits than its size, and urgent callers first."""

import asyncio

from services.imaging.pool.priority import PrioritySemaphore


async def acquire(
    semaphore: PrioritySemaphore, name: str, order: list[str], *, urgent: bool
) -> None:
    async with semaphore.acquire(urgent=urgent):
        order.append(name)
        assert semaphore.taken <= semaphore.size
        await asyncio.sleep(0)


async def test_urgent_callers_are_first_and_never_starve_the_others() -> None:
    semaphore, order = PrioritySemaphore(1), list[str]()
    async with asyncio.TaskGroup() as group, semaphore.acquire(urgent=True):
        for _ in range(3):
            group.create_task(acquire(semaphore, "job", order, urgent=False))
        for _ in range(20):
            group.create_task(acquire(semaphore, "render", order, urgent=True))
        await asyncio.sleep(0)
        assert order == []
    assert order[:9] == ["render"] * 8 + ["job"]
    assert order.count("job") == 3
    assert semaphore.taken == 0


async def test_a_cancelled_caller_holds_no_permit() -> None:
    semaphore = PrioritySemaphore(2)
    for _ in range(50):
        waiting = [
            asyncio.create_task(acquire(semaphore, "x", [], urgent=n % 2 == 0)) for n in range(9)
        ]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert semaphore.taken == 0
