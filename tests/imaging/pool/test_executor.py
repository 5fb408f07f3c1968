"""The pool: work is done in processes, late work is killed, a crash costs one call."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from anyio import to_process

from contracts.errors import DeadlineExceeded, ImageTooBig, Overloaded, WorkerCrashed
from services.imaging.pool.executor import Executor, prepare_process
from tests.processes import until


def warm() -> int:
    return os.getpid()


def nap(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def die() -> None:
    os.abort()


def refuse() -> None:
    raise ImageTooBig("It is huge.", retry_after=7)


def swell(mebibytes: int) -> int:
    prepare_process(512)
    return len(bytearray(mebibytes << 20))


def chatter(mebibytes: int) -> int:
    prepare_process(4096)
    # As a library does, past Python.
    return os.write(2, bytes(mebibytes << 20))


@asynccontextmanager
async def two_slots() -> AsyncIterator[Executor]:
    """Two processes and two places to wait.

    Not a fixture: anyio's processes end with the task that they were started in.
    """
    executor = Executor(2, waiting=2)
    await executor.start(warm)
    try:
        yield executor
    finally:
        await executor.stop()


@pytest.mark.serial
async def test_work_runs_in_other_processes_side_by_side() -> None:
    async with two_slots() as executor:
        started = time.monotonic()
        results = await asyncio.gather(*(executor.run(nap, 0.3, timeout=5) for _ in range(2)))
        pids = {pid for pid, _ in results}
        assert len(pids) == 2
        assert os.getpid() not in pids
        assert time.monotonic() - started < 0.6


@pytest.mark.serial
async def test_it_tells_how_long_a_call_waited_and_worked() -> None:
    async with two_slots() as executor:
        results = await asyncio.gather(*(executor.run(nap, 0.2, timeout=5) for _ in range(4)))
        waits = sorted(done.queue_ms for _, done in results)
        assert waits[0] < 100
        assert waits[-1] >= 150
        assert all(done.work_ms >= 200 for _, done in results)


async def test_past_its_places_to_wait_it_refuses_at_once() -> None:
    async with two_slots() as executor:
        calls = [asyncio.create_task(executor.run(nap, 0.3, timeout=5)) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as caught:
            await executor.run(nap, 0.3, timeout=5)
        assert caught.value.retry_after
        await asyncio.gather(*calls)


async def test_late_work_is_killed_and_its_process_replaced() -> None:
    async with two_slots() as executor:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await executor.run(nap, 60, timeout=0.3)
        assert time.monotonic() - started < 2
        results = await asyncio.gather(*(executor.run(nap, 0.2, timeout=5) for _ in range(2)))
        assert len({pid for pid, _ in results}) == 2


async def test_a_crash_costs_one_call() -> None:
    async with two_slots() as executor:
        with pytest.raises(WorkerCrashed):
            await executor.run(die, timeout=5)
        pid, _ = await executor.run(warm, timeout=5)
        assert pid != os.getpid()


async def test_a_named_error_stays_itself() -> None:
    async with two_slots() as executor:
        with pytest.raises(ImageTooBig, match="huge") as caught:
            await executor.run(refuse, timeout=5)
        assert caught.value.retry_after == 7


async def test_cancelled_work_is_killed() -> None:
    async with two_slots() as executor:
        task = asyncio.create_task(executor.run(nap, 60, timeout=60))
        await until(lambda: executor.busy == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await executor.run(warm, timeout=5))[0] != os.getpid()


async def test_memory_past_the_limit_fails_in_the_process_and_the_process_lives() -> None:
    async with two_slots() as executor:
        assert (await executor.run(swell, 10, timeout=5))[0] == 10 << 20
        with pytest.raises(WorkerCrashed, match="more memory"):
            await executor.run(swell, 2000, timeout=5)
        assert (await executor.run(swell, 10, timeout=5))[0] == 10 << 20


async def test_processes_stay_however_long_they_have_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(to_process, "WORKER_MAX_IDLE_TIME", 0)
    async with two_slots() as executor:

        async def both() -> set[int]:
            done = await asyncio.gather(*(executor.run(nap, 0.2, timeout=5) for _ in range(2)))
            return {pid for pid, _ in done}

        before = await both()
        await executor.run(warm, timeout=5)
        assert await both() == before


async def test_what_libraries_say_fills_no_pipe() -> None:
    async with two_slots() as executor:
        assert (await executor.run(chatter, 4, timeout=5))[0] == 4 << 20
