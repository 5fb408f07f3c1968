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
from tests.imaging.pool.acting_child import Act, done_by

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="yields on Linux alone")


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
    # For the process, a sleep is a wait like that for a core.
    await done_by(executor, Act(action="compute_and_sleep", amount=0.1))
    assert await _switches_while_it_sleeps(executor, pid) > 100
    assert await _switches_in_half_a_second(pid) < 10


async def test_a_call_that_computes_little_says_nothing_of_the_next_one(
    executor: Executor,
) -> None:
    pid = (await done_by(executor, Act(action="nothing"))).pid
    await done_by(executor, Act(action="sleep", amount=0.1))
    assert await _switches_while_it_sleeps(executor, pid) < 10


@pytest.mark.parametrize(("shorter", "yields"), [(15, True), (16, False)])
async def test_a_call_that_waited_is_forgotten_after_sixteen_that_compute_little(
    executor: Executor, shorter: int, yields: bool
) -> None:
    pid = (await done_by(executor, Act(action="nothing"))).pid
    await done_by(executor, Act(action="compute_and_sleep", amount=0.1))
    for _ in range(shorter):
        await done_by(executor, Act(action="nothing"))
    assert (await _switches_while_it_sleeps(executor, pid) > 100) is yields


async def test_a_batch_of_short_renders_is_not_interrupted(executor: Executor) -> None:
    pid = (await done_by(executor, Act(action="nothing"))).pid
    # Longer than 4 ms, and each of its parts is shorter.
    await done_by(executor, Act(action="compute_and_sleep", amount=0.1, outcomes=8))
    assert await _switches_while_it_sleeps(executor, pid) < 10


async def _switches_while_it_sleeps(executor: Executor, pid: int) -> int:
    sleeping = asyncio.create_task(done_by(executor, Act(action="sleep", amount=1)))
    switches = await _switches_in_half_a_second(pid)
    await sleeping
    return switches


async def _switches_in_half_a_second(pid: int) -> int:
    """Return how often the process has given up a core; a sleep does at each signal."""
    before = _switches(pid)
    await asyncio.sleep(0.5)
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
