"""Callers that share a call: each leaves when it likes, and the last one ends the call."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from contracts.errors import DeadlineExceeded, ImageUnreadable
from services.runtime.shared_calls import SharedCalls
from tests.held_work import HeldWork


class Work(HeldWork):
    """A call that ends when it is told to, and returns its number."""

    async def __call__(self) -> int:
        number = self.started + 1
        await self.wait()
        return number


class Callers:
    def __init__(self, *, finished: bool = False) -> None:
        self.calls = SharedCalls[int]("test", finished=finished)
        self.work = Work()

    async def begin(self, *, timeout: float = 5, lasting: float = 10) -> asyncio.Task[int]:
        call: Coroutine[Any, Any, int] = self.calls.run(
            "key", self.work, timeout=timeout, lasting=lasting
        )
        task = asyncio.create_task(call)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task


@pytest.fixture
async def callers() -> Callers:
    return Callers()


async def test_equal_calls_at_once_are_one_and_a_later_one_is_another(callers: Callers) -> None:
    tasks = [await callers.begin() for _ in range(50)]
    callers.work.end.set()
    assert await asyncio.gather(*tasks) == [1] * 50
    assert await (await callers.begin()) == 2
    assert not callers.calls


async def test_a_caller_that_leaves_cancels_nobody_and_the_last_one_cancels_the_call(
    callers: Callers,
) -> None:
    first, second, third = [await callers.begin() for _ in range(3)]
    first.cancel()
    await asyncio.wait([first])
    third.cancel()
    await asyncio.wait([third])
    assert callers.work.cancelled == 0
    assert not second.done()
    second.cancel()
    await asyncio.wait([second])
    # Nobody joins a call that is being cancelled.
    later = await callers.begin()
    callers.work.end.set()
    assert await later == 2
    assert callers.work.cancelled == 1


async def test_each_caller_has_its_own_timeout(callers: Callers) -> None:
    patient = await callers.begin()
    hasty = await callers.begin(timeout=0.02)
    with pytest.raises(DeadlineExceeded, match=r"within 0\.02 s"):
        await hasty
    callers.work.end.set()
    assert await patient == 1


async def test_a_call_that_ends_too_early_for_a_caller_is_not_joined(callers: Callers) -> None:
    hasty = await callers.begin(timeout=30, lasting=60)
    patient = await callers.begin(timeout=90, lasting=200)
    third = await callers.begin(timeout=90)
    callers.work.end.set()
    assert [await task for task in (hasty, patient, third)] == [1, 2, 2]


async def test_a_failure_is_the_failure_of_all_and_of_none_that_comes_later(
    callers: Callers,
) -> None:
    tasks = [await callers.begin() for _ in range(3)]
    callers.work.error = ImageUnreadable("It is torn.")
    callers.work.end.set()
    for task in tasks:
        with pytest.raises(ImageUnreadable):
            await task
    callers.work.error = None
    assert await (await callers.begin()) == 2


async def test_calls_that_are_finished_go_on_without_callers_and_take_later_ones() -> None:
    callers = Callers(finished=True)
    for _ in range(3):
        task = await callers.begin()
        task.cancel()
        await asyncio.wait([task])
    with pytest.raises(DeadlineExceeded):
        await (await callers.begin(timeout=0.01))
    last = await callers.begin()
    callers.work.end.set()

    assert await last == 1
    assert (callers.work.started, callers.work.cancelled) == (1, 0)
