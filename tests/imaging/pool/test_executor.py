"""The pool: calls are done in processes, a late call is killed, and a lost process is replaced."""

import asyncio
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from contracts.errors import (
    Code,
    DeadlineExceeded,
    Failure,
    ImageTooBig,
    Overloaded,
    WorkerCrashed,
)
from services.imaging.pool.executor import CallFailed
from services.imaging.pool.messages import Heavy
from services.runtime.capacity import Capacity
from tests.attempts import attempts
from tests.imaging.pool.acting_child import Act, Action, Done, done_by
from tests.imaging.pool.acting_pool import pid_of, pool
from tests.processes import until


def variables_of(pid: int) -> set[str]:
    """Return the names of the variables with which a process was started."""
    environment = Path(f"/proc/{pid}/environ").read_text()
    return {line.partition("=")[0] for line in environment.split("\0") if line}


@pytest.mark.serial
async def test_two_calls_run_at_once_in_processes_of_their_own() -> None:
    async with pool() as executor:
        for attempt in attempts():
            started = time.monotonic()
            pids = await asyncio.gather(*(pid_of(executor, "sleep", 0.3) for _ in range(2)))
            took = time.monotonic() - started
            assert len(set(pids)) == 2
            assert os.getpid() not in pids
            with attempt:
                assert took < 0.6


@pytest.mark.serial
async def test_a_call_reports_how_long_it_waited_and_how_long_it_ran() -> None:
    async with pool() as executor:
        call = Act(action="sleep", amount=0.2)
        for attempt in attempts():
            results = await asyncio.gather(*(executor.run(call, timeout=5) for _ in range(4)))
            waits = sorted(times.queue_ms for _, times in results)
            assert all(times.work_ms >= 200 for _, times in results)
            with attempt:
                assert waits[0] < 100
                # Two calls end early if the other process is delayed.
                assert waits[-1] >= 150


async def test_a_call_beyond_the_places_to_wait_is_refused_at_once() -> None:
    async with pool() as executor:
        calls = [asyncio.create_task(pid_of(executor, "sleep", 0.3)) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as caught:
            await pid_of(executor)
        assert caught.value.retry_after
        await asyncio.gather(*calls)


async def test_a_slow_call_of_quiet_times_makes_no_refused_caller_wait() -> None:
    async with pool() as executor:
        await pid_of(executor, "sleep", 1.5)
        calls = [asyncio.create_task(pid_of(executor, "sleep", 0.05)) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as caught:
            await pid_of(executor)
        assert caught.value.retry_after == 1
        await asyncio.gather(*calls)


async def test_a_late_call_is_killed_and_its_process_is_replaced() -> None:
    async with pool() as executor:
        before = {process.pid for process in executor.processes}
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await executor.run(Act(action="sleep", amount=60), timeout=0.3)
        assert time.monotonic() - started < 20
        await until(
            lambda: len({process.pid for process in executor.processes} - before) == 1, seconds=20
        )
        assert len(executor.processes) == 2
        pids = await asyncio.gather(*(pid_of(executor, "sleep", 0.2) for _ in range(2)))
        assert len(set(pids)) == 2


async def test_a_crash_fails_one_call_after_a_second_attempt_and_names_the_signal() -> None:
    async with pool() as executor:
        before = {process.pid for process in executor.processes}
        with pytest.raises(WorkerCrashed, match="died of it, by SIGSEGV"):
            await pid_of(executor, "crash")
        await until(lambda: len(executor.processes) == 2)
        after = {process.pid for process in executor.processes}
        assert len(before & after) == 1, "the other process went on"
        assert await pid_of(executor) != os.getpid()


@pytest.mark.parametrize("action", ["crash", "exhaust"])
async def test_what_fails_in_a_used_process_alone_succeeds_in_a_fresh_one(action: Action) -> None:
    async with pool(1) as executor:
        before = await pid_of(executor)
        done = await done_by(executor, Act(action=action, only_if_used=True))
        assert done.pid != before


async def test_memory_that_also_runs_out_in_a_fresh_process_is_named() -> None:
    async with pool(1) as executor:
        before = await pid_of(executor)
        [outcome], _ = await executor.run(Act(action="exhaust"), timeout=10)
        assert isinstance(outcome, Failure)
        assert outcome.code is Code.OUT_OF_MEMORY
        assert await pid_of(executor) != before


async def test_a_crash_is_named_when_the_time_ends_before_the_second_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for attempt in attempts():
        async with pool(1) as executor:
            monkeypatch.setattr(executor._places, "_start_process", partial(asyncio.sleep, 60))
            # On a busy machine the time, a TimeoutError, may end before the crash.
            with attempt, pytest.raises(WorkerCrashed, match="SIGSEGV"):
                await executor.run(Act(action="crash"), timeout=1)


async def test_a_process_that_dies_between_two_calls_is_replaced_at_once() -> None:
    async with pool() as executor:
        before = {process.pid for process in executor.processes}
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await until(
            lambda: len({process.pid for process in executor.processes} - before) == 2, seconds=20
        )
        pids = await asyncio.gather(*(pid_of(executor, "sleep", 0.1) for _ in range(2)))
        assert len(set(pids) - before) == 2


async def test_a_call_waits_for_the_replacement_of_a_lost_process() -> None:
    async with pool(1) as executor:
        before = executor.processes[0].pid
        os.kill(before, signal.SIGKILL)
        await until(lambda: all(process.pid != before for process in executor.processes))
        assert await pid_of(executor) != before


async def test_a_failure_with_a_name_is_an_outcome_and_the_process_goes_on() -> None:
    async with pool(1) as executor:
        before = await pid_of(executor)
        [outcome], _ = await executor.run(Act(action="refuse"), timeout=10)
        assert outcome == ImageTooBig("It is huge.", retry_after=7).failure()
        assert await pid_of(executor) == before


async def test_a_job_is_told_when_its_call_starts() -> None:
    async with pool(1) as executor:
        started = asyncio.Event()
        await executor.run_later(Act(action="nothing"), timeout=5, on_start=started.set)
        assert started.is_set()


async def test_a_bug_is_raised_with_its_traceback_and_the_process_goes_on() -> None:
    async with pool(1) as executor:
        before = await pid_of(executor)
        with pytest.raises(CallFailed, match=r"in act\nZeroDivisionError: a bug"):
            await pid_of(executor, "break")
        assert await pid_of(executor) == before


@pytest.mark.parametrize("action", ["answer_garbage", "answer_much", "answer_twice", "blame"])
async def test_a_process_that_answers_garbage_is_killed(action: Action) -> None:
    async with pool(1) as executor:
        before = await pid_of(executor)
        with pytest.raises(WorkerCrashed):
            await pid_of(executor, action)
        assert await pid_of(executor) != before


async def test_a_process_that_holds_much_memory_is_replaced_by_one_that_is_ready() -> None:
    async with pool(1, max_resident=300) as executor:
        before = await pid_of(executor)
        assert await pid_of(executor, "hold", 100) == before
        assert await pid_of(executor, "hold", 250) == before
        assert executor.processes[0].pid == before, "it works on while its successor starts"
        await until(lambda: executor.processes[0].pid != before)
        assert await pid_of(executor) != before


async def test_a_process_is_replaced_after_many_calls_and_no_call_fails() -> None:
    async with pool(2, max_calls=20) as executor:
        pids = set[int]()
        started = time.monotonic()
        while len(pids) < 6 and time.monotonic() - started < 60:
            found = await asyncio.gather(*(pid_of(executor, "sleep", 0.01) for _ in range(4)))
            pids.update(found)
        assert len(pids) >= 6
        assert len(executor.processes) == 2


async def test_a_successor_waits_for_the_end_of_a_call() -> None:
    async with pool(1, max_calls=1) as executor:
        before = await pid_of(executor)
        assert await pid_of(executor, "sleep", 2) == before
        # On a busy machine the successor takes longer than the call to start.
        while await pid_of(executor, "sleep", 1) == before:
            pass


async def test_a_process_has_no_variables_of_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "DARKROOM_WEBHOOK_SECRET", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "redis://:secret@localhost")
    monkeypatch.setenv("LANG", "C.UTF-8")
    async with pool(1) as executor:
        names = variables_of(executor.processes[0].pid)
        assert names <= {
            *("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "LD_PRELOAD"),
            *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"),
        }


async def test_a_call_that_writes_much_to_stderr_is_not_blocked() -> None:
    async with pool(1) as executor:
        await pid_of(executor, "write_to_stderr", 4)


async def test_a_stopped_pool_has_no_processes() -> None:
    async with pool() as executor:
        pids = [process.pid for process in executor.processes]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_heavy_work_starts_again_leaves_a_slot_and_is_bounded() -> None:
    async with pool(2, heavy_waiting=1) as executor:
        lent = Capacity(4)
        heavy = Act(action="heavy_sleep", amount=0.5, budget=5)
        for attempt in attempts():
            calls = [
                asyncio.create_task(executor.run(heavy, timeout=10, lend=lent.lent))
                for _ in range(3)
            ]
            with attempt:
                done, waiting = await asyncio.wait(calls, timeout=0.3)
                assert [type(each.exception()) for each in done] == [Overloaded]
                assert lent.taken == -2, "one runs and one waits, and neither counts"
                assert executor.busy == 1
                await asyncio.wait_for(pid_of(executor), 0.2)
                results = await asyncio.gather(*waiting)
                assert sum(times.queue_ms >= 400 for _, times in results) == 1
            await asyncio.wait(calls)
            assert lent.taken == 0


async def test_heavy_work_of_jobs_that_would_be_the_third_is_not_started() -> None:
    async with pool(2) as executor:
        heavy = Act(action="heavy_sleep", amount=0.3, budget=5)
        [outcome], _ = await executor.run_later(heavy, timeout=10, on_start=lambda: None)
        assert isinstance(outcome, Heavy)
        calls = [asyncio.create_task(executor.run_heavy_later(heavy, timeout=10)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await executor.run_heavy_later(heavy, timeout=10)
        assert refused.value.retry_after
        assert await asyncio.gather(*calls)


async def test_work_that_takes_much_longer_than_its_budget_starts_again_as_heavy_work() -> None:
    async with pool(2) as executor:
        call = Act(action="sleep", amount=0.6, budget=0.1)
        [done], times = await executor.run(call, timeout=10)
        assert times.queue_ms >= 300
        assert times.work_ms >= 600
        assert isinstance(done, Done)
        with pytest.raises(DeadlineExceeded):
            await executor.run(Act(action="sleep", amount=60, budget=0.2), timeout=0.3)
