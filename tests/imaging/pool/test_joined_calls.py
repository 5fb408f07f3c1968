"""Short calls that wait for a slot are done as one, and each has its own outcome."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from contracts.errors import Code, DeadlineExceeded, Failure, WorkerCrashed
from services.imaging.pool.adaptive_limit import AdaptiveLimit
from services.imaging.pool.executor import CallFailed, Executor, Opening
from services.imaging.pool.messages import MAX_JOINED, Content, Image
from services.imaging.settings import ImagingSettings
from tests.imaging.pool.acting_child import Act, Action, Done
from tests.imaging.pool.acting_pool import ACTING
from tests.processes import until

Task = asyncio.Task[Any]


@asynccontextmanager
async def pool(slots: int = 1, limit: AdaptiveLimit | None = None) -> AsyncIterator[Executor]:
    executor = Executor(ImagingSettings(slots=slots), waiting=20, limit=limit, program=ACTING)
    await executor.start()
    try:
        yield executor
    finally:
        await executor.stop()


@pytest.fixture
async def executor() -> AsyncIterator[Executor]:
    """An executor with one process."""
    async with pool() as executor:
        yield executor


def short(action: Action = "nothing", **fields: Any) -> Act:
    """Return a call that may be done as one with others."""
    return Act(action=action, joins=True, **fields)


async def outcome_of(executor: Executor, call: Act, *, timeout: float = 20) -> Any:
    [outcome], _ = await executor.run(call, timeout=timeout)
    return outcome


@asynccontextmanager
async def waiting(
    executor: Executor, *calls: Act, timeout: float = 20
) -> AsyncIterator[list[Task]]:
    """Start calls while the only slot is taken, for as long as the context lasts."""
    async with executor._semaphore.acquire(urgent=True):
        tasks = [asyncio.create_task(outcome_of(executor, call, timeout=timeout)) for call in calls]
        for _ in range(10):
            await asyncio.sleep(0)
        yield tasks


async def failure_of(task: Task) -> BaseException | None:
    await asyncio.wait([task], timeout=20)
    return task.exception()


async def test_calls_that_wait_are_done_as_one_four_at_a_time(executor: Executor) -> None:
    [process] = executor.processes
    async with waiting(executor, *(short() for _ in range(MAX_JOINED + 2))) as tasks:
        before = process.calls
    assert {done.pid for done in await asyncio.gather(*tasks)} == {process.pid}
    assert process.calls - before == 2


async def test_a_slot_takes_no_more_than_its_share() -> None:
    async with pool(2) as executor, executor._semaphore.acquire(urgent=True):
        before = sum(process.calls for process in executor.processes)
        async with waiting(executor, *(short() for _ in range(4))) as tasks:
            pass
        await asyncio.gather(*tasks)
        after = sum(process.calls for process in executor.processes)
    # The slot that is free takes two and leaves two to the other one, and so on.
    assert after - before == 3


async def test_a_call_with_a_free_slot_is_alone(executor: Executor) -> None:
    [process] = executor.processes
    for number in range(3):
        await outcome_of(executor, short())
        assert process.calls == number + 1


async def test_calls_that_may_not_be_joined_are_alone(executor: Executor) -> None:
    [process] = executor.processes
    async with waiting(executor, Act(action="nothing"), short(), Act(action="nothing")) as tasks:
        before = process.calls
    await asyncio.gather(*tasks)
    assert process.calls - before == 3


async def test_a_failure_is_that_of_its_call(executor: Executor) -> None:
    [process] = executor.processes
    async with waiting(executor, short(), short("refuse"), short()) as tasks:
        before = process.calls
    first, refused, last = await asyncio.gather(*tasks)
    assert process.calls - before == 1
    assert isinstance(refused, Failure)
    assert refused.code == Code.IMAGE_TOO_BIG
    assert isinstance(first, Done)
    assert isinstance(last, Done)


@pytest.mark.parametrize(("action", "error"), [("crash", WorkerCrashed), ("break", CallFailed)])
async def test_a_call_that_ends_them_all_fails_alone(
    executor: Executor, action: Action, error: type[Exception]
) -> None:
    async with waiting(executor, short(), short(action), short()) as tasks:
        pass
    assert isinstance(await failure_of(tasks[1]), error)
    for task in (tasks[0], tasks[2]):
        assert isinstance(await task, Done)


async def test_a_call_that_takes_all_memory_has_a_second_attempt_alone(executor: Executor) -> None:
    [process] = executor.processes
    async with waiting(executor, short(), short("exhaust", only_if_used=True), short()) as tasks:
        pass
    outcomes = await asyncio.gather(*tasks)
    assert [type(one) for one in outcomes] == [Done, Done, Done]
    assert outcomes[0].pid == process.pid
    assert outcomes[1].pid != process.pid, "a fresh process has done it"


@pytest.mark.parametrize("action", ["crash", "exhaust"])
async def test_a_call_costs_others_one_process(executor: Executor, action: Action) -> None:
    with patch.object(executor._places, "lose", wraps=executor._places.lose) as lost:
        async with waiting(executor, short(), short(action), short()) as tasks:
            pass
        await asyncio.gather(*tasks, return_exceptions=True)
    assert lost.call_count == 3, "and two attempts of its own"


async def test_a_longer_call_has_the_slot_for_itself_afterwards(executor: Executor) -> None:
    [process] = executor.processes
    async with waiting(executor, short(), short("heavy_sleep", amount=0.1), short()) as tasks:
        before = process.calls
    outcomes = await asyncio.gather(*tasks)
    assert [type(one) for one in outcomes] == [Done, Done, Done]
    assert process.calls - before == 2


async def test_calls_without_time_are_done_next(executor: Executor) -> None:
    [process] = executor.processes
    calls = short(), short("sleep", amount=0.01), short(), short()
    async with waiting(executor, *calls) as tasks:
        before = process.calls
        later = asyncio.create_task(outcome_of(executor, short()))
    await asyncio.gather(*tasks, later)
    assert process.calls - before == 2, "the two that were left out and the later one are one call"


async def test_calls_that_take_a_second_together_are_done_alone(executor: Executor) -> None:
    async with waiting(executor, short(), short("sleep", amount=1.2)) as tasks:
        pass
    outcomes = await asyncio.gather(*tasks)
    assert [type(one) for one in outcomes] == [Done, Done]


async def test_a_caller_that_leaves_takes_nothing_from_the_others(executor: Executor) -> None:
    async with waiting(executor, *(short() for _ in range(4))) as tasks:
        tasks[1].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes.pop(1), asyncio.CancelledError)
    assert all(isinstance(one, Done) for one in outcomes)


@pytest.mark.parametrize("leaves", [0, 1, 2])
async def test_a_call_goes_on_without_a_caller_that_has_left(
    executor: Executor, leaves: int
) -> None:
    [process] = executor.processes
    async with waiting(executor, short(), short("sleep", amount=0.2), short()) as tasks:
        before = process.calls
    await until(lambda: process.calls > before)
    left = tasks.pop(leaves)
    left.cancel()
    outcomes = await asyncio.gather(*tasks)
    assert [type(one) for one in outcomes] == [Done, Done]
    assert left.cancelled()
    assert executor.busy == 0


async def test_a_call_that_nobody_waits_for_gives_its_slot_back(executor: Executor) -> None:
    [process] = executor.processes
    async with waiting(executor, short("spin"), short("spin")) as tasks:
        before = process.calls
    await until(lambda: process.calls > before)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    done = await outcome_of(executor, short())
    assert done.pid != process.pid, "the process that computes for nobody was killed"
    assert executor.busy == 0


async def test_a_deadline_is_that_of_its_call(executor: Executor) -> None:
    async with waiting(executor, short(), timeout=0.1) as [hurried]:
        patient = asyncio.create_task(outcome_of(executor, short()))
        assert isinstance(await failure_of(hurried), DeadlineExceeded)
    assert isinstance(await patient, Done)


async def test_each_call_has_its_own_images(executor: Executor) -> None:
    texts = [f"text {number}" for number in range(4)]
    opened = list[int]()
    [process] = executor.processes
    before = process.calls
    async with waiting(executor):
        tasks = [asyncio.create_task(text_of(executor, text, opened)) for text in texts]
        await until(lambda: len(opened) == 2)
    assert await asyncio.gather(*tasks) == texts
    assert process.calls - before == 1
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(descriptor)


async def test_a_call_that_fails_with_others_is_alone_from_then_on(executor: Executor) -> None:
    [process] = executor.processes
    async with waiting(executor, *(short() for _ in range(3)), short("break")) as tasks:
        before = process.calls
    assert isinstance(await failure_of(tasks.pop()), CallFailed)
    await asyncio.gather(*tasks)
    assert process.calls - before == 5


async def test_a_long_call_keeps_no_other_from_a_free_slot() -> None:
    async with pool(2) as executor:
        async with executor._semaphore.acquire(urgent=True):
            calls = short("heavy_sleep", amount=60), short("heavy_sleep", amount=0.01)
            async with waiting(executor, *calls) as tasks:
                pass
        assert isinstance(await tasks[1], Done)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]


async def test_a_call_that_blames_the_image_of_another_is_done_alone(executor: Executor) -> None:
    mine, others = reading("mine1"), reading("others1")
    blaming = mine.model_copy(update={"action": "blame", "target": others.target})
    async with waiting(executor):
        reads = asyncio.create_task(text_of(executor, "others1", []))
        await asyncio.sleep(0)
        blames = asyncio.create_task(executor.run(blaming, opening_of("mine1", []), timeout=20))
        await asyncio.sleep(0.05)
    assert await reads == "others1"
    # Alone, it is no answer to its call.
    assert isinstance(await failure_of(blames), WorkerCrashed)


async def text_of(executor: Executor, text: str, opened: list[int]) -> str:
    """Have a process read an image, whose descriptor is added to `opened`."""
    [done], _ = await executor.run(reading(text), opening_of(text, opened), timeout=20)
    assert isinstance(done, Done)
    return done.text


def reading(text: str) -> Act:
    """Return a call that reads its image: text in bytes beside it for an odd length."""
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()
    image = Image(key=digest, size=len(data), digest=digest, inside=_is_inside(text))
    return short("read", target=digest, images=(image,))


def opening_of(text: str, opened: list[int]) -> Opening:
    return partial(_opened, text, opened)


@asynccontextmanager
async def _opened(text: str, opened: list[int]) -> AsyncIterator[Sequence[Content]]:
    data = text.encode()
    if _is_inside(text):
        yield [data]
        return
    descriptor = os.memfd_create("image")
    os.write(descriptor, data)
    opened.append(descriptor)
    try:
        yield [descriptor]
    finally:
        os.close(descriptor)


def _is_inside(text: str) -> bool:
    return text[-1] in "13"
