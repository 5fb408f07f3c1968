"""Renders of one source that wait at once: decoded once in a process, and each on its own."""

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count

import pytest
import pytest_asyncio

from contracts.errors import DeadlineExceeded, Failure, InvalidOperation, WorkerCrashed
from contracts.formats import Format
from contracts.imaging import Blob, Render
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Extract, Resize
from contracts.outputs import Output
from services.imaging.engine import pipeline
from services.imaging.pool.executor import Executor
from services.imaging.pool.messages import Image, Made, RenderCall
from services.imaging.pool.process import Program
from services.imaging.settings import ImagingSettings
from tests.imaging.pictures import encoded, scenery
from tests.imaging.pool.counting_child import CRASHES, SLEEPS
from tests.processes import until

# Starting a pool takes half a second, and it belongs to an event loop.
pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZES = (320, 200, 160, 100, 80)

_numbers = count()


@asynccontextmanager
async def pool(slots: int, **env: str) -> AsyncIterator[Executor]:
    """Yield an executor whose processes count decodes."""
    program = Program("tests.imaging.pool.counting_child", env)
    executor = Executor(ImagingSettings(slots=slots), waiting=20, program=program)
    await executor.start()
    try:
        yield executor
    finally:
        await executor.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def executor() -> AsyncIterator[Executor]:
    """An executor with one process."""
    async with pool(1) as executor:
        yield executor


@pytest.fixture
def picture() -> bytes:
    """A PNG that no process has seen."""
    return new_picture()


def new_picture(format: str = "PNG") -> bytes:
    return encoded(scenery(640 + next(_numbers), 480), format)


def pipeline_of(operation: Operation | int) -> Pipeline:
    """Return a pipeline with an operation; an int is the width of a resize."""
    wanted = Resize(width=operation) if isinstance(operation, int) else operation
    return Pipeline(operations=(wanted,), output=Output(format=Format.WEBP))


async def render(
    executor: Executor, data: bytes, operation: Operation | int, *, timeout: float = 30
) -> Made:
    """Render for a client that waits."""
    key = hashlib.sha256(data).hexdigest()
    source = Blob(key=key, media_type="image/png", bytes=len(data))
    call = RenderCall(
        requests=(Render(source=source, pipeline=pipeline_of(operation)),),
        images=(Image(key=key, size=len(data), digest=key),),
        budget=5,
    )

    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[int]]:
        descriptor = os.memfd_create("image")
        os.write(descriptor, data)
        try:
            yield [descriptor]
        finally:
            os.close(descriptor)

    [outcome], _ = await executor.run(call, opening, timeout=timeout)
    if isinstance(outcome, Failure):
        raise outcome.error()
    assert isinstance(outcome, Made)
    return outcome


def start(
    executor: Executor, data: bytes, operations: Sequence[Operation | int] = SIZES
) -> list[asyncio.Task[Made]]:
    """Ask for several renders of a source at once."""
    return [asyncio.create_task(render(executor, data, one)) for one in operations]


def decodes(made: Sequence[Made]) -> int:
    return round(sum(one.decode_ms for one in made))


async def test_sizes_at_once_are_decoded_once_in_each_process(picture: bytes) -> None:
    async with pool(2) as executor:
        assert 1 <= decodes(await asyncio.gather(*start(executor, picture))) <= 2


@pytest.mark.parametrize(("format", "expected"), [("PNG", 1), ("WEBP", 1), ("JPEG", 3)])
async def test_sizes_at_once_have_the_bytes_of_lone_ones(
    executor: Executor, format: str, expected: int
) -> None:
    data = new_picture(format)
    made = await asyncio.gather(*start(executor, data))
    lone = [pipeline.run(data, pipeline_of(width)) for width in SIZES]
    assert [one.data for one in made] == [one.data for one in lone]
    # A JPEG is decoded at its size, at a half and at a quarter.
    assert decodes(made) == expected


async def test_a_source_stays_in_its_process_while_others_have_other_sources() -> None:
    sources = new_picture(), new_picture()
    async with pool(2) as executor:
        both = zip(*(start(executor, data) for data in sources), strict=True)
        made = await asyncio.gather(*(task for tasks in both for task in tasks))
        assert decodes(made) <= 4
        # One after another: each goes to the process that has its source.
        await asyncio.gather(*(render(executor, data, 60) for data in sources))
        assert decodes([await render(executor, data, 50) for data in sources * 2]) == 0


async def test_a_source_that_comes_again_after_another_is_decoded_again(
    executor: Executor,
) -> None:
    one, other = new_picture(), new_picture()
    made = [await render(executor, data, 50) for data in (one, other, other, one)]
    assert [one.decode_ms for one in made] == [1, 1, 0, 1]


async def test_a_process_that_rests_frees_the_pixels(picture: bytes) -> None:
    async with pool(1, REST_AFTER="0.01") as executor:
        await render(executor, picture, 50)
        for pause in (0.1, 1, 5):
            await asyncio.sleep(pause)
            if decodes([await render(executor, picture, 60)]):
                return
    pytest.fail("the pixels are still there")


async def test_a_pipeline_that_fails_fails_alone(executor: Executor, picture: bytes) -> None:
    outside = Extract(left=600, top=400, width=600, height=400)
    bad, *others = start(executor, picture, (outside, *SIZES))
    with pytest.raises(InvalidOperation):
        await bad
    assert decodes(await asyncio.gather(*others)) <= 1


async def test_a_crash_fails_one_render_and_the_others_are_done(
    executor: Executor, picture: bytes
) -> None:
    crash, *others = start(executor, picture, (CRASHES, *SIZES))
    with pytest.raises(WorkerCrashed):
        await crash
    assert decodes(await asyncio.gather(*others)) == 1


async def test_a_process_that_is_killed_loses_no_render(executor: Executor, picture: bytes) -> None:
    tasks = start(executor, picture)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    os.kill(executor.processes[0].pid, signal.SIGKILL)
    assert decodes(await asyncio.gather(*tasks)) <= 2


async def test_a_late_render_is_stopped_and_the_others_are_done(
    executor: Executor, picture: bytes
) -> None:
    late = asyncio.create_task(render(executor, picture, SLEEPS, timeout=0.3))
    await asyncio.sleep(0)
    others = start(executor, picture)
    with pytest.raises(DeadlineExceeded):
        await late
    assert decodes(await asyncio.gather(*others)) == 1


async def test_a_render_that_is_cancelled_in_its_process_leaves_the_others(
    executor: Executor, picture: bytes
) -> None:
    cancelled, *others = start(executor, picture, (SLEEPS, *SIZES))
    await until(lambda: executor.busy == 1)
    cancelled.cancel()
    assert decodes(await asyncio.gather(*others)) == 1


async def test_a_render_that_is_cancelled_while_it_waits_leaves_the_others(
    executor: Executor, picture: bytes
) -> None:
    first, cancelled, *others = start(executor, picture)
    await asyncio.sleep(0)
    cancelled.cancel()
    assert decodes(await asyncio.gather(first, *others)) == 1
