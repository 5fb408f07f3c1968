"""The priority semaphore: never more permits than its size, and urgent callers first."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from services.imaging.pool import priority
from services.imaging.pool.priority import Caller, Done, PrioritySemaphore


@pytest.fixture(autouse=True)
def _long_overtaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a source overtake for longer than a busy machine holds a test up."""
    monkeypatch.setattr(priority, "_OVERTAKING", 60)


async def acquire(
    semaphore: PrioritySemaphore, name: str, order: list[str], *, urgent: bool, heavy: bool = False
) -> None:
    async with semaphore.acquire(urgent=urgent, heavy=heavy):
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


async def test_heavy_work_never_has_the_last_of_several_permits() -> None:
    semaphore, order = PrioritySemaphore(3), list[str]()
    async with AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(semaphore.acquire(urgent=True, heavy=True))
        waiting = asyncio.create_task(
            acquire(semaphore, "heavy", order, urgent=True, heavy=True), name="heavy"
        )
        for number in range(20):
            await asyncio.wait_for(acquire(semaphore, f"short {number}", order, urgent=False), 20)
        assert len(order) == 20, "the third permit serves short work alone"
    await waiting
    assert semaphore.taken == 0


async def test_heavy_work_has_a_turn_after_eight_short_permits_in_a_row() -> None:
    semaphore, order = PrioritySemaphore(2), list[str]()
    async with (
        asyncio.TaskGroup() as group,
        semaphore.acquire(urgent=True),
        semaphore.acquire(urgent=True),
    ):
        group.create_task(acquire(semaphore, "heavy", order, urgent=False, heavy=True))
        for _ in range(30):
            group.create_task(acquire(semaphore, "short", order, urgent=True))
        await asyncio.sleep(0)
    assert 8 <= order.index("heavy") <= 10
    assert len(order) == 31


async def test_with_one_permit_heavy_work_comes_when_no_short_work_waits() -> None:
    semaphore, order = PrioritySemaphore(1), list[str]()
    async with asyncio.TaskGroup() as group, semaphore.acquire(urgent=True):
        for urgent in (True, False):
            group.create_task(acquire(semaphore, "heavy", order, urgent=urgent, heavy=True))
            for _ in range(15):
                group.create_task(acquire(semaphore, "short", order, urgent=urgent))
        await asyncio.sleep(0)
    assert order == ["short"] * 30 + ["heavy"] * 2
    assert semaphore.taken == 0


async def test_a_cancelled_heavy_caller_holds_no_permit() -> None:
    semaphore = PrioritySemaphore(2)
    for _ in range(50):
        waiting = [
            asyncio.create_task(acquire(semaphore, "x", [], urgent=n % 2 == 0, heavy=n % 3 == 0))
            for n in range(12)
        ]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert semaphore.taken == semaphore._heavy_taken == 0


async def order_of(sources: str, *, size: int = 1) -> str:
    """Return the order in which callers with these sources have a permit; "-" has no source."""
    semaphore, order = PrioritySemaphore(size), list[str]()

    async def call(source: str) -> None:
        async with semaphore.acquire(Caller(source.strip("-")), urgent=True):
            order.append(source)
            await asyncio.sleep(0)

    await asyncio.gather(*map(call, sources))
    assert semaphore.taken == 0
    return "".join(order)


async def test_a_source_is_continued_before_others_for_eight_permits() -> None:
    assert await order_of("abcabcab") == "aaabbbcc"
    assert await order_of("ab" * 10) == "a" * 8 + "b" * 8 + "aabb"
    assert await order_of("-a-a-") == "-aa--"


async def test_each_permit_continues_its_own_source() -> None:
    assert await order_of("abab", size=2) == "abab"
    assert await order_of("abccab", size=2) == "ababcc"


async def test_a_source_overtakes_for_a_quarter_of_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(priority, "_OVERTAKING", 0)
    assert await order_of("abcabc") == "abcabc"


async def test_a_caller_takes_its_share_of_those_that_may_be_done_with_it() -> None:
    semaphore = PrioritySemaphore(2)
    async with semaphore.acquire(urgent=True), semaphore.acquire(urgent=True):
        callers = [Caller(work=number or None) for number in range(6)]
        waiting = [asyncio.create_task(answer_of(semaphore, one)) for one in callers]
        waiting.append(asyncio.create_task(answer_of(semaphore, Caller(work="job"), urgent=False)))
        await asyncio.sleep(0)
        assert semaphore.take_share(9) == callers[1:3], "of five and itself, three for each permit"
        assert semaphore.take_share(1) == callers[3:4]
        for one in callers[1:3]:
            one.answer.set_result(Done("done"))
        semaphore.come_back(callers[3:4])
        assert not waiting[3].done()
        assert [*semaphore._short.urgent] == [callers[0], *callers[3:]], "it has its place again"
    answers = await asyncio.gather(*waiting)
    assert answers == [None, Done("done"), Done("done"), None, None, None, None]
    assert semaphore.taken == 0


async def test_a_caller_that_comes_back_to_a_free_permit_gets_it() -> None:
    semaphore = PrioritySemaphore(1)
    async with semaphore.acquire(urgent=True):
        caller = Caller()
        waiting = asyncio.create_task(answer_of(semaphore, caller))
        await asyncio.sleep(0)
        assert semaphore.take_out(caller)
        assert not semaphore.take_out(caller)
    semaphore.come_back([caller])
    assert semaphore.taken == 1
    assert await waiting is None
    assert semaphore.taken == 0


async def test_a_caller_that_is_cancelled_out_of_the_queue_holds_nothing() -> None:
    semaphore = PrioritySemaphore(1)
    async with semaphore.acquire(urgent=True):
        caller = Caller(work=1)
        waiting = asyncio.create_task(answer_of(semaphore, caller))
        await asyncio.sleep(0)
        [taken] = semaphore.take_share(1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        semaphore.come_back([taken])
    assert semaphore.taken == 0


async def answer_of(
    semaphore: PrioritySemaphore, caller: Caller, *, urgent: bool = True
) -> Done | None:
    async with semaphore.acquire(caller, urgent=urgent) as done:
        return done
