"""Calls whose caller has left: they have half a second to end."""

import asyncio
import os
import signal

import pytest

from services.imaging.pool import places
from services.imaging.pool.executor import Executor
from tests.imaging.pool.acting_pool import pid_of, pool
from tests.processes import until


async def leave_a_call(executor: Executor, seconds: float) -> None:
    """Cancel a call of an executor of one process, which goes on for so many seconds."""
    call = asyncio.create_task(pid_of(executor, "sleep", seconds))
    await until(lambda: executor.busy == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_cancelled_call_that_goes_on_is_killed() -> None:
    async with pool(1) as executor:
        before = await pid_of(executor)
        await leave_a_call(executor, seconds=60)
        assert await pid_of(executor) != before


async def test_a_process_that_ends_a_cancelled_call_soon_does_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "_PATIENCE", 20)  # which a busy machine may need
    async with pool(1) as executor:
        before = await pid_of(executor)
        for _ in range(3):
            await leave_a_call(executor, seconds=0.1)
            assert await pid_of(executor) == before


async def test_an_executor_stops_while_a_cancelled_call_goes_on() -> None:
    async with pool(1) as executor:
        await leave_a_call(executor, seconds=60)
        (process,) = executor.processes
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


async def test_a_process_that_dies_in_a_cancelled_call_is_replaced() -> None:
    async with pool(1) as executor:
        before = await pid_of(executor)
        await leave_a_call(executor, seconds=60)
        os.kill(before, signal.SIGKILL)
        assert await pid_of(executor) != before
