"""Renders that share the way: each comes to its own end, whatever becomes of its company."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from contracts.errors import ImageUnreadable, ServiceError, WorkerCrashed
from contracts.imaging import Blob, Render, Rendered
from contracts.operations.pipeline import Pipeline
from services.imaging.jobs.batching import MicroBatcher, NotBegun
from services.imaging.jobs.capacity import SOON, AdaptiveLimit
from services.imaging.pool.executor import Done
from services.imaging.settings import ImagingSettings
from services.runtime.tasks import end


def numbered(number: int) -> Render:
    blob = Blob(key=f"{number:064}", media_type="image/jpeg", bytes=1)
    return Render(source=blob, pipeline=Pipeline())


def rendered(text: str, ms: float) -> Rendered:
    blob = Blob.model_validate(json.loads(text)["source"])
    return Rendered(blob=blob, width=1, height=1, decode_ms=ms, operations_ms=0, encode_ms=0)


class Fake:
    """An executor of one slot in which some images do harm."""

    slots = 1

    def __init__(
        self, harm: Callable[[str], Any] = lambda text: None, *, most: int = 8, ms: float = 1.0
    ) -> None:
        self.trips: list[int] = []
        self._ms = ms
        self._harm = harm
        self._most = most

    async def run_later(
        self, work: Any, what: Any, *_: Any, timeout: float, begun: Callable[[], None]
    ) -> tuple[Any, Done]:
        begun()
        texts: Sequence[str] = (what,) if isinstance(what, str) else what
        self.trips.append(len(texts))
        outcomes: list[Rendered | ServiceError] = []
        for text in texts[: self._most]:
            try:
                if (harm := self._harm(text)) is not None:
                    await harm
            except ImageUnreadable as exc:
                if isinstance(what, str):
                    raise
                outcomes.append(exc)
            else:
                outcomes.append(rendered(text, self._ms))
        await asyncio.sleep(0)
        return (outcomes[0] if isinstance(what, str) else outcomes), Done(0.0, 0.0)


async def company(fake: Fake, size: int = 6) -> list[asyncio.Task[Rendered]]:
    """Renders that go together, once it is known that they are short."""
    executor: Any = fake
    carrier = MicroBatcher(executor, ImagingSettings(), AdaptiveLimit(1))
    await carrier.render(numbered(99), alone=False, keep_source=False)
    return [
        asyncio.create_task(carrier.render(numbered(number), alone=False, keep_source=False))
        for number in range(size)
    ]


def roomy() -> AdaptiveLimit:
    """Room for eight."""
    room = AdaptiveLimit(1)
    for _ in range(7):
        room.observe(0.0)
    return room


def about(number: int, text: str) -> bool:
    return f"{number:064}" in text


async def test_short_renders_go_together_and_each_gets_its_own() -> None:
    tasks = await company(fake := Fake())
    results = await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert [int(one.blob.key) for one in results] == list(range(6))
    assert fake.trips == [1, 6]


@pytest.mark.parametrize("steps", range(8))
async def test_who_comes_as_a_carrier_ends_is_carried_by_another(steps: int) -> None:
    executor: Any = Fake()
    carrier = MicroBatcher(executor, ImagingSettings(), AdaptiveLimit(1))
    await carrier.render(numbered(99), alone=False, keep_source=False)
    first = asyncio.create_task(carrier.render(numbered(0), alone=False, keep_source=False))
    for _ in range(steps):
        await asyncio.sleep(0)
    last = carrier.render(numbered(1), alone=False, keep_source=False)
    await asyncio.wait_for(asyncio.gather(first, last), 5)


async def test_what_has_not_begun_is_let_go_behind_what_is_long() -> None:
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    executor: Any = Fake(lambda text: None if about(99, text) else forever())
    carrier = MicroBatcher(executor, ImagingSettings(), room := roomy())
    await carrier.render(numbered(99), alone=False, keep_source=False)
    some = [
        asyncio.create_task(carrier.render(numbered(number), alone=False, keep_source=False))
        for number in range(10)
    ]
    await asyncio.wait_for(begun.wait(), 5)
    _, under_way = await asyncio.wait(some, timeout=SOON / 2)
    assert len(under_way) == 10
    _, under_way = await asyncio.wait(some, timeout=SOON)
    assert len(under_way) == 8
    assert room.free == 4
    for task in some[8:]:
        assert isinstance(task.exception(), NotBegun)
    later = asyncio.create_task(carrier.render(numbered(10), alone=False, keep_source=False))
    with pytest.raises(NotBegun):
        await asyncio.wait_for(later, 2 * SOON)
    assert room.free <= 2
    await carrier.stop()
    await asyncio.gather(*(end(task) for task in under_way))


async def test_a_bad_image_is_nobody_elses_failure() -> None:
    def harm(text: str) -> None:
        if about(3, text):
            raise ImageUnreadable("torn")

    tasks = await company(Fake(harm))
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [isinstance(one, ImageUnreadable) for one in results] == [n == 3 for n in range(6)]


async def test_who_kills_a_process_dies_alone() -> None:
    def harm(text: str) -> None:
        if about(3, text):
            raise WorkerCrashed("died")

    tasks = await company(fake := Fake(harm))
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [isinstance(one, WorkerCrashed) for one in results] == [n == 3 for n in range(6)]
    assert fake.trips == [1, 6, *[1] * 6]


async def test_what_the_way_became_too_long_for_goes_with_the_next() -> None:
    tasks = await company(fake := Fake(most=4), 12)
    results = await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert [int(one.blob.key) for one in results] == list(range(12))
    assert fake.trips == [1, 8, 8, 4]


async def test_a_cancelled_one_is_stopped_and_the_others_are_done() -> None:
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    tasks = await company(Fake(lambda text: forever() if about(3, text) else None))
    await asyncio.wait_for(begun.wait(), 5)
    tasks[3].cancel()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    cancelled = [isinstance(one, asyncio.CancelledError) for one in results]
    assert cancelled == [n == 3 for n in range(6)]


@pytest.mark.parametrize(("ms", "more"), [(1000.0, {}), (1.0, {"alone": True})])
async def test_a_long_render_and_one_that_has_failed_before_go_alone(
    ms: float, more: dict[str, bool]
) -> None:
    executor: Any = (fake := Fake(ms=ms))
    carrier = MicroBatcher(executor, ImagingSettings(), AdaptiveLimit(1))
    await carrier.render(numbered(99), alone=False, keep_source=False)
    how = {"alone": False, "keep_source": False, **more}
    some = [carrier.render(numbered(number), **how) for number in range(3)]
    await asyncio.wait_for(asyncio.gather(*some), 5)
    assert fake.trips == [1, 1, 1, 1]
