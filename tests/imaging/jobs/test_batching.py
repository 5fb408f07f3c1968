"""Micro-batching: short renders share calls, and no render fails because of another."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from contracts.errors import ImageUnreadable, OutOfMemory, ServiceError, WorkerCrashed
from contracts.imaging import Blob, Render, Rendered
from contracts.operations.pipeline import Pipeline
from services.imaging.jobs import batching
from services.imaging.jobs.batching import MicroBatcher, NotStarted
from services.imaging.pool.adaptive_limit import SHORT, AdaptiveLimit
from services.imaging.pool.executor import CallTimes
from services.imaging.pool.messages import Heavy
from services.imaging.settings import ImagingSettings
from services.runtime.tasks import end

Effect = Callable[[Render], Awaitable[None] | None]


def numbered(number: int) -> Render:
    blob = Blob(key=f"{number:064}", media_type="image/jpeg", bytes=1)
    return Render(source=blob, pipeline=Pipeline())


def is_number(number: int, request: Render) -> bool:
    return request.source.key == f"{number:064}"


class FakeRenders:
    """Renders with one slot.

    `effect` is called with each request, and may raise or return an awaitable; a call renders
    `most` requests and has no time for more. `calls` has the size of each call. The requests of
    the numbers in `heavy` are heavy work.
    """

    slots = 1

    def __init__(
        self, effect: Effect = lambda request: None, *, most: int = 8, heavy: Sequence[int] = ()
    ) -> None:
        self.calls: list[int] = []
        self.heavy: list[Render] = []
        self._heavy = heavy
        self._effect = effect
        self._most = most

    async def render_later(
        self,
        requests: Sequence[Render],
        *,
        timeout: float,
        on_start: Callable[[], None],
        on_end: Callable[[], None],
        keep_source: bool,
    ) -> tuple[list[Rendered | ServiceError | Heavy], CallTimes]:
        on_start()
        self.calls.append(len(requests))
        async with asyncio.timeout(timeout):
            outcomes = [await self._outcome(request) for request in requests[: self._most]]
        if len(outcomes) == len(requests):
            on_end()
        await asyncio.sleep(0)
        return outcomes, CallTimes(0.0, 0.0)

    async def render_heavy_later(
        self, request: Render, *, timeout: float, keep_source: bool
    ) -> tuple[Rendered, CallTimes]:
        self.heavy.append(request)
        await asyncio.sleep(0)
        return rendered(request), CallTimes(0.0, 0.0)

    async def _outcome(self, request: Render) -> Rendered | ServiceError | Heavy:
        if any(is_number(number, request) for number in self._heavy):
            return Heavy(seconds=60)
        try:
            if (waiting := self._effect(request)) is not None:
                await waiting
        except (ImageUnreadable, OutOfMemory) as exc:
            return exc
        return rendered(request)


def rendered(request: Render) -> Rendered:
    return Rendered(
        blob=request.source, width=1, height=1, decode_ms=0, operations_ms=0, encode_ms=0
    )


def batcher(renders: Any, limit: AdaptiveLimit | None = None) -> MicroBatcher:
    return MicroBatcher(renders, ImagingSettings(), limit or AdaptiveLimit(1, 16))


def start(
    renders: MicroBatcher, numbers: Sequence[int], *, alone: bool = False, keep_source: bool = False
) -> list[asyncio.Task[Rendered]]:
    """Start renders, of which the first has the slot when the others come."""
    return [
        asyncio.create_task(renders.render(numbered(n), alone=alone, keep_source=keep_source))
        for n in numbers
    ]


def numbers_of(results: Sequence[Rendered]) -> list[int]:
    return [int(rendered.blob.key) for rendered in results]


async def test_renders_that_wait_for_a_slot_share_a_call_and_each_gets_its_own_result() -> None:
    fake = FakeRenders()
    tasks = start(batcher(fake), range(7))
    results = await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert numbers_of(results) == list(range(7))
    assert fake.calls == [1, 6]


@pytest.mark.parametrize("steps", range(8))
async def test_a_render_that_comes_as_a_batch_ends_is_started(steps: int) -> None:
    renders = batcher(FakeRenders())
    [first] = start(renders, [0])
    for _ in range(steps):
        await asyncio.sleep(0)
    [last] = start(renders, [1])
    await asyncio.wait_for(asyncio.gather(first, last), 5)


async def test_a_batch_starts_while_the_renditions_of_the_last_one_are_stored() -> None:
    storing, stored = asyncio.Event(), asyncio.Event()

    class Storing(FakeRenders):
        async def render_later(self, *args: Any, **options: Any) -> Any:
            done = await super().render_later(*args, **options)
            if len(self.calls) == 1:
                storing.set()
                await stored.wait()
            return done

    renders = batcher(fake := Storing())
    [first] = start(renders, [0])
    await asyncio.wait_for(storing.wait(), 5)
    [last] = start(renders, [1])
    await asyncio.wait_for(last, 5)
    assert (fake.calls, first.done()) == ([1, 1], False)
    stored.set()
    await asyncio.wait_for(first, 5)


async def test_pending_renders_are_released_while_a_long_one_runs() -> None:
    started = asyncio.Event()

    async def forever() -> None:
        started.set()
        await asyncio.Event().wait()

    limit = AdaptiveLimit(1, 16)
    for _ in range(7):
        limit.observe(0.0)
    renders = batcher(FakeRenders(lambda request: forever()), limit)
    begun = asyncio.get_running_loop().time()
    [long, *pending] = start(renders, range(10))
    await asyncio.wait_for(started.wait(), 5)
    done, waiting = await asyncio.wait(pending, timeout=10)
    assert not waiting
    assert asyncio.get_running_loop().time() - begun >= SHORT
    assert all(isinstance(task.exception(), NotStarted) for task in done)
    assert not long.done()
    assert limit.free <= 4
    [later] = start(renders, [10])
    with pytest.raises(NotStarted):
        await asyncio.wait_for(later, 10)
    assert limit.free <= 2
    await renders.stop()
    await end(long)


async def test_an_unreadable_image_fails_only_its_own_render() -> None:
    def effect(request: Render) -> None:
        if is_number(3, request):
            raise ImageUnreadable("torn")

    tasks = start(batcher(FakeRenders(effect)), range(7))
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [isinstance(one, ImageUnreadable) for one in results] == [n == 3 for n in range(7)]


async def test_after_a_crash_each_render_of_the_batch_runs_alone() -> None:
    def effect(request: Render) -> None:
        if is_number(3, request):
            raise WorkerCrashed("died")

    fake = FakeRenders(effect)
    tasks = start(batcher(fake), range(7))
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [isinstance(one, WorkerCrashed) for one in results] == [n == 3 for n in range(7)]
    assert fake.calls == [1, 6, *[1] * 6]


async def test_a_render_of_a_batch_that_ran_out_of_memory_is_repeated_alone() -> None:
    def effect(request: Render) -> None:
        if is_number(1, request):
            raise OutOfMemory("too much")

    fake = FakeRenders(effect)
    tasks = start(batcher(fake), range(4))
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [isinstance(one, OutOfMemory) for one in results] == [n == 1 for n in range(4)]
    assert fake.calls == [1, 3, 1]


async def test_renders_that_a_call_had_no_time_for_are_in_the_next_which_is_smaller() -> None:
    fake = FakeRenders(most=3)
    tasks = start(batcher(fake), range(13))
    results = await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert numbers_of(results) == list(range(13))
    assert fake.calls == [1, 8, 3, 4, 3], "it grows by one after a batch of which none was left"


async def test_a_cancelled_render_ends_and_the_others_of_its_batch_are_rendered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "_BATCH_TIMEOUT", 0.05)
    started = asyncio.Event()

    async def forever() -> None:
        started.set()
        await asyncio.Event().wait()

    fake = FakeRenders(lambda request: forever() if is_number(3, request) else None)
    tasks = start(batcher(fake), range(7))
    await asyncio.wait_for(started.wait(), 5)
    tasks[3].cancel()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    cancelled = [isinstance(one, asyncio.CancelledError) for one in results]
    assert cancelled == [n == 3 for n in range(7)]


@pytest.mark.parametrize("number", [0, 1])
async def test_a_batch_is_cancelled_when_all_its_renders_are(number: int) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    fake = FakeRenders(lambda request: forever() if is_number(number, request) else None)
    tasks = start(batcher(fake), range(number + 2))
    await asyncio.wait_for(started.wait(), 5)
    for task in tasks[number:]:
        task.cancel()
    await asyncio.wait_for(stopped.wait(), 5)
    await asyncio.wait(tasks, timeout=5)
    assert [task.cancelled() for task in tasks] == [n >= number for n in range(number + 2)]


@pytest.mark.parametrize("how", [{"alone": True}, {"keep_source": True}])
async def test_a_retry_and_a_render_that_keeps_its_source_are_in_no_batch(
    how: dict[str, bool],
) -> None:
    fake = FakeRenders()
    tasks = start(batcher(fake), range(4), **how)
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert fake.calls == [1, 1, 1, 1]


@pytest.mark.parametrize("how", [{}, {"alone": True}, {"keep_source": True}], ids=str)
async def test_a_heavy_render_runs_as_heavy_work_and_does_not_count(how: dict[str, bool]) -> None:
    fake, limit = FakeRenders(heavy=[2]), AdaptiveLimit(1, 16)
    renders, lent = batcher(fake, limit), list[int]()
    # In the place of the method, for this test alone.
    fake.render_heavy_later = noting(fake.render_heavy_later, lent, limit)  # type: ignore[method-assign]
    results = await asyncio.wait_for(asyncio.gather(*start(renders, range(4), **how)), 5)
    assert numbers_of(results) == list(range(4))
    [request] = fake.heavy
    assert is_number(2, request)
    assert (lent, limit.taken) == ([-1], 0)


def noting(run: Any, lent: list[int], limit: AdaptiveLimit) -> Any:
    """Return `run`, which notes in `lent` how many jobs the worker counts when it is called."""

    async def noted(*args: Any, **more: Any) -> Any:
        lent.append(limit.taken)
        return await run(*args, **more)

    return noted
