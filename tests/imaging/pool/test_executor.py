"""The pool: calls run in processes, a late call is killed, a crash fails one call."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from anyio import to_process

from contracts.errors import DeadlineExceeded, ImageTooBig, Overloaded, WorkerCrashed
from services.imaging.pool.executor import Executor, limit_process
from tests.processes import until


def get_pid() -> int:
    return os.getpid()


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def crash() -> None:
    os.abort()


def refuse() -> None:
    raise ImageTooBig("It is huge.", retry_after=7)


def allocate(mebibytes: int) -> int:
    limit_process(512)
    return len(bytearray(mebibytes << 20))


def write_to_stderr(mebibytes: int) -> int:
    limit_process(4096)
    # As a C library does, without sys.stderr.
    return os.write(2, bytes(mebibytes << 20))


@asynccontextmanager
async def two_slots() -> AsyncIterator[Executor]:
    """Yield an executor with two processes and two places to wait.

    Not a fixture: anyio ends its processes with the task that started them.
    """
    executor = Executor(2, waiting=2)
    await executor.start(get_pid)
    try:
        yield executor
    finally:
        await executor.stop()


@pytest.mark.serial
async def test_two_calls_run_at_once_in_processes_of_their_own() -> None:
    async with two_slots() as executor:
        started = time.monotonic()
        results = await asyncio.gather(*(executor.run(sleep, 0.3, timeout=5) for _ in range(2)))
        pids = {pid for pid, _ in results}
        assert len(pids) == 2
        assert os.getpid() not in pids
        assert time.monotonic() - started < 0.6


@pytest.mark.serial
async def test_a_call_reports_how_long_it_waited_and_how_long_it_ran() -> None:
    async with two_slots() as executor:
        results = await asyncio.gather(*(executor.run(sleep, 0.2, timeout=5) for _ in range(4)))
        waits = sorted(times.queue_ms for _, times in results)
        assert waits[0] < 100
        assert waits[-1] >= 150
        assert all(times.work_ms >= 200 for _, times in results)


async def test_a_call_beyond_the_places_to_wait_is_refused_at_once() -> None:
    async with two_slots() as executor:
        calls = [asyncio.create_task(executor.run(sleep, 0.3, timeout=5)) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as caught:
            await executor.run(sleep, 0.3, timeout=5)
        assert caught.value.retry_after
        await asyncio.gather(*calls)


async def test_a_late_call_is_killed_and_its_process_is_replaced() -> None:
    async with two_slots() as executor:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await executor.run(sleep, 60, timeout=0.3)
        assert time.monotonic() - started < 2
        results = await asyncio.gather(*(executor.run(sleep, 0.2, timeout=5) for _ in range(2)))
        assert len({pid for pid, _ in results}) == 2


async def test_a_crash_fails_one_call() -> None:
    async with two_slots() as executor:
        with pytest.raises(WorkerCrashed):
            await executor.run(crash, timeout=5)
        pid, _ = await executor.run(get_pid, timeout=5)
        assert pid != os.getpid()


async def test_a_service_error_keeps_its_type_and_its_fields() -> None:
    async with two_slots() as executor:
        with pytest.raises(ImageTooBig, match="huge") as caught:
            await executor.run(refuse, timeout=5)
        assert caught.value.retry_after == 7


async def test_a_cancelled_call_is_killed() -> None:
    async with two_slots() as executor:
        task = asyncio.create_task(executor.run(sleep, 60, timeout=60))
        await until(lambda: executor.busy == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await executor.run(get_pid, timeout=5))[0] != os.getpid()


async def test_a_call_over_the_memory_limit_fails_and_its_process_goes_on() -> None:
    async with two_slots() as executor:
        assert (await executor.run(allocate, 10, timeout=5))[0] == 10 << 20
        with pytest.raises(WorkerCrashed, match="more memory"):
            await executor.run(allocate, 2000, timeout=5)
        assert (await executor.run(allocate, 10, timeout=5))[0] == 10 << 20


async def test_an_idle_process_is_never_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(to_process, "WORKER_MAX_IDLE_TIME", 0)
    async with two_slots() as executor:

        async def both() -> set[int]:
            done = await asyncio.gather(*(executor.run(sleep, 0.2, timeout=5) for _ in range(2)))
            return {pid for pid, _ in done}

        before = await both()
        await executor.run(get_pid, timeout=5)
        assert await both() == before


async def test_a_call_that_writes_much_to_stderr_is_not_blocked() -> None:
    async with two_slots() as executor:
        assert (await executor.run(write_to_stderr, 4, timeout=5))[0] == 4 << 20
