"""A pool process yields the processor in its calls where it has to wait for a core."""

import asyncio
import platform
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.imaging.pool.executor import Executor
from services.imaging.pool.process import Program
from services.imaging.settings import ImagingSettings
from tests.attempts import attempts
from tests.imaging.pool.acting_child import Act, done_by

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="yields on Linux alone")

_FEW = 10
_MANY = 20  # of 2,000: a busy machine serves few of a process's timers


@pytest.fixture
async def executor() -> AsyncIterator[Executor]:
    """Return an executor of one pool process."""
    executor = Executor(
        ImagingSettings(slots=1), waiting=2, program=Program("tests.imaging.pool.acting_child")
    )
    await executor.start()
    yield executor
    await executor.stop()


async def test_a_process_that_had_to_wait_is_interrupted_in_its_next_call(
    executor: Executor,
) -> None:
    pid = (await done_by(executor, Act(action="nothing"))).pid
    for attempt in attempts():
        with attempt:
            # For the process, a sleep is a wait like that for a core.
            await done_by(executor, Act(action="compute_and_sleep", amount=0.1))
            assert await _switches_while_it_sleeps(executor, pid) > _MANY
    before = _switches(pid)
    await asyncio.sleep(0.5)
    assert _switches(pid) - before < _FEW


async def test_a_call_that_computes_little_says_nothing_of_the_next_one(
    executor: Executor,
) -> None:
    pid = (await done_by(executor, Act(action="nothing"))).pid
    await done_by(executor, Act(action="sleep", amount=0.1))
    assert await _switches_while_it_sleeps(executor, pid) < _FEW


async def test_a_call_that_waited_counts_for_fifteen_that_compute_little(
    executor: Executor,
) -> None:
    pid = (await done_by(executor, Act(action="nothing"))).pid
    for attempt in attempts():
        with attempt:
            await _do_calls_after_one_that_waited(executor, 15)
            assert await _switches_while_it_sleeps(executor, pid) > _MANY


async def test_a_call_that_waited_is_forgotten_after_sixteen_that_compute_little(
    executor: Executor,
) -> None:
    pid = (await done_by(executor, Act(action="nothing"))).pid
    await _do_calls_after_one_that_waited(executor, 16)
    assert await _switches_while_it_sleeps(executor, pid) < _FEW


async def test_a_batch_of_short_renders_is_not_interrupted(executor: Executor) -> None:
    pid = (await done_by(executor, Act(action="nothing"))).pid
    # Longer than 4 ms, and each of its parts is shorter.
    await done_by(executor, Act(action="compute_and_sleep", amount=0.1, outcomes=8))
    assert await _switches_while_it_sleeps(executor, pid) < _FEW


async def _do_calls_after_one_that_waited(executor: Executor, calls: int) -> None:
    await done_by(executor, Act(action="compute_and_sleep", amount=0.1))
    for _ in range(calls):
        await done_by(executor, Act(action="nothing"))


async def _switches_while_it_sleeps(executor: Executor, pid: int) -> int:
    """Return how often the process gave up a core in a second; a sleep does at each signal."""
    before = _switches(pid)
    await done_by(executor, Act(action="sleep", amount=1))
    return _switches(pid) - before


def _switches(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "_ctxt_switches" in line)


@pytest.mark.parametrize(("slice_ns", "grants"), [(100_000, True), (50_000, False)])
def test_a_process_yields_only_with_the_slice_that_it_asked_for(
    slice_ns: int, grants: bool
) -> None:
    """A kernel without slices ignores what it is asked for; one with them has a least one."""
    if grants and tuple(map(int, platform.release().split(".")[:2])) < (6, 12):
        pytest.skip("the kernel has no slices")
    code = (
        "from services.imaging.pool import yielding;"
        f"yielding._SLICE = {slice_ns}; print(yielding.Yielding()._can)"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    assert output.decode().strip() == str(grants)
