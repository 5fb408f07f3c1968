"""A pool process yields the processor while it has a call, and rests without one."""

import asyncio
import platform
from pathlib import Path

import pytest

from services.imaging.pool.executor import Executor
from services.imaging.pool.process import Program
from services.imaging.settings import ImagingSettings
from tests.imaging.pool.acting_child import Act, done_by

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="yields on Linux alone")


async def test_a_pool_process_is_interrupted_every_millisecond_of_a_call_and_never_without() -> None:
    executor = Executor(
        ImagingSettings(slots=1), waiting=2, program=Program("tests.imaging.pool.acting_child")
    )
    await executor.start()
    try:
        pid = (await done_by(executor, Act(action="nothing"))).pid
        sleeping = asyncio.create_task(done_by(executor, Act(action="sleep", amount=1)))
        during = await _switches_in_half_a_second(pid)
        await sleeping
        assert during > 100
        assert await _switches_in_half_a_second(pid) < 10
    finally:
        await executor.stop()


async def _switches_in_half_a_second(pid: int) -> int:
    """Return how often the process has given up a core; a sleep does at each signal."""
    before = _switches(pid)
    await asyncio.sleep(0.5)
    return _switches(pid) - before


def _switches(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "_ctxt_switches" in line)
