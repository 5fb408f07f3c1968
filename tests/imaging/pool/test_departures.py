"""Calls that wait long for a slot leave for another worker, if this one has taken too many."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contracts.errors import WorkerCrashed
from services.imaging.pool import adaptive_limit
from services.imaging.pool.adaptive_limit import SHORT, AdaptiveLimit
from services.imaging.pool.departures import Departed
from services.imaging.pool.executor import Executor
from services.imaging.settings import ImagingSettings
from tests.imaging.pool.acting_child import Act, Done
from tests.imaging.pool.acting_pool import ACTING
from tests.processes import until

Task = asyncio.Task[Any]


class Worker:
    """An executor with one process, whose calls leave for another worker if `elsewhere` is true."""

    def __init__(self) -> None:
        self.limit = AdaptiveLimit(2, 8)
        self.executor = Executor(
            ImagingSettings(slots=1), waiting=20, limit=self.limit, program=ACTING
        )
        self.elsewhere = True
        self.asked = 0

    async def depart(self) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        return self.elsewhere

    def takes(self, messages: int) -> None:
        """Take messages, for which the limit has grown."""
        for _ in range(messages):
            self.limit.observe(0)
            self.limit.take()

    @asynccontextmanager
    async def waiting(self, *calls: Act) -> AsyncIterator[list[Task]]:
        """Start calls while the slot is taken, for as long as the context lasts."""
        async with self.executor._semaphore.acquire(urgent=True):
            tasks = [asyncio.create_task(self.outcome_of(call)) for call in calls]
            for _ in range(10):
                await asyncio.sleep(0)
            yield tasks

    async def outcome_of(self, call: Act) -> Any:
        try:
            [outcome], _ = await self.executor.run(call, timeout=30, depart=self.depart)
        except Departed:
            self.limit.give_back()
            raise
        return outcome


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    await worker.executor.start()
    yield worker
    await worker.executor.stop()


def calls(number: int) -> list[Act]:
    """Return calls, every other one of which may be done with others."""
    return [Act(action="nothing", joins=each % 2 == 0) for each in range(number)]


async def test_calls_beyond_the_least_leave_while_none_ends(worker: Worker) -> None:
    worker.takes(8)
    async with worker.waiting(*calls(7)) as tasks:
        await until(lambda: sum(task.done() for task in tasks) == 6)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in results] == [Done, *[Departed] * 6]
    assert worker.asked == 6


async def test_calls_that_come_later_leave_too(worker: Worker) -> None:
    worker.takes(8)
    async with worker.waiting(*calls(7)) as tasks:
        await until(lambda: sum(task.done() for task in tasks) == 6)
        worker.limit.take()
        later = asyncio.create_task(worker.outcome_of(Act(action="nothing")))
        await until(later.done)
    assert type(later.exception()) is Departed
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_calls_stay_while_others_end(worker: Worker) -> None:
    worker.takes(8)
    size = worker.limit.size
    async with worker.waiting(*calls(7)) as tasks:
        ends = asyncio.get_running_loop().time() + 3 * SHORT
        while asyncio.get_running_loop().time() < ends:
            worker.executor._departures.note_end()
            await asyncio.sleep(0)
        assert worker.limit.size < size, "the worker takes fewer, as they wait long"
    assert [type(one) for one in await asyncio.gather(*tasks)] == [Done] * 7
    assert worker.asked == 0


async def test_calls_within_the_limit_stay(worker: Worker) -> None:
    worker.takes(2)
    async with worker.waiting(*calls(5)) as tasks:
        await asyncio.sleep(3 * SHORT)
    assert [type(one) for one in await asyncio.gather(*tasks)] == [Done] * 5
    assert worker.asked == 0


async def test_calls_come_back_if_no_other_worker_takes_them(worker: Worker) -> None:
    worker.takes(8)
    worker.elsewhere = False
    async with worker.waiting(*calls(5)) as tasks:
        await until(lambda: worker.asked == 5)
        order = list[Task]()
        for task in tasks:
            task.add_done_callback(order.append)
        await asyncio.sleep(3 * SHORT)
        assert worker.asked == 5, "each is asked once"
    assert [type(one) for one in await asyncio.gather(*tasks)] == [Done] * 5
    assert order[-2:] == [tasks[1], tasks[3]], "those that are done alone keep their order"


async def test_a_call_whose_departure_fails_comes_back(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> bool:
        worker.asked += 1
        raise ZeroDivisionError

    monkeypatch.setattr(worker, "depart", fail)
    worker.takes(8)
    async with worker.waiting(*calls(3)) as tasks:
        await until(lambda: worker.asked > 0)
    assert [type(one) for one in await asyncio.gather(*tasks)] == [Done] * 3


async def test_a_slot_that_is_free_meanwhile_is_for_the_call_that_comes_back(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = asyncio.Event()

    async def depart() -> bool:
        worker.asked += 1
        await free.wait()
        return False

    monkeypatch.setattr(worker, "depart", depart)
    worker.takes(8)
    async with worker.waiting(*calls(1)) as tasks:
        await until(lambda: worker.asked == 1)
    assert worker.executor.busy == 0
    free.set()
    assert [type(one) for one in await asyncio.gather(*tasks)] == [Done]


async def test_a_call_that_is_cancelled_while_it_leaves_is_gone(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "depart", asyncio.Event().wait)
    worker.takes(8)
    async with worker.waiting(*calls(1)) as [task]:
        await until(lambda: bool(worker.executor._departures._departing))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert worker.executor.busy == 0
    await worker.outcome_of(Act(action="nothing"))


async def test_a_worker_takes_more_while_calls_are_short(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptive_limit, "SHORT", 60)
    for _ in range(10):
        await worker.outcome_of(Act(action="nothing"))
    assert worker.limit.size == 8
    monkeypatch.setattr(adaptive_limit, "SHORT", 0)
    for _ in range(3):
        await worker.outcome_of(Act(action="nothing"))
    assert worker.limit.size == 5


async def test_calls_that_are_cancelled_in_the_queue_are_no_ends(worker: Worker) -> None:
    worker.takes(4)
    size = worker.limit.size
    async with worker.waiting(*calls(3)) as tasks:
        while not any(task.done() for task in tasks):
            hasty = asyncio.create_task(worker.outcome_of(Act(action="nothing")))
            await asyncio.sleep(0.01)
            hasty.cancel()
            await asyncio.wait([hasty])
            assert worker.limit.size <= size
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert Departed in map(type, results)


async def test_a_process_that_stood_still_looks_again(worker: Worker) -> None:
    worker.takes(8)
    async with worker.waiting(*calls(7)):
        stand_still()
        await asyncio.sleep(SHORT / 2)
        assert worker.asked == 0
        await until(lambda: worker.asked > 0)


async def test_an_executor_stops_while_calls_wait(worker: Worker) -> None:
    call = Act(action="spin", joins=True)
    tasks = [asyncio.create_task(worker.outcome_of(call)) for _ in range(3)]
    await until(lambda: worker.executor.busy == 1)
    await worker.executor.stop()
    assert worker.executor.processes == []
    with pytest.raises(WorkerCrashed):
        await tasks[0]
    for task in tasks[1:]:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def stand_still() -> None:
    """Stop the event loop for a while."""
    time.sleep(3 * SHORT)
