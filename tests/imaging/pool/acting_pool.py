"""A pool of acting processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.imaging.pool.executor import Executor
from services.imaging.pool.process import Program
from services.imaging.settings import ImagingSettings
from tests.imaging.pool.acting_child import Act, Action, done_by

ACTING = Program("tests.imaging.pool.acting_child")


@asynccontextmanager
async def pool(
    slots: int = 2, *, max_resident: int = 4096, max_calls: int = 10**6, heavy_waiting: int = 8
) -> AsyncIterator[Executor]:
    """Yield an executor with `slots` processes and two places to wait."""
    settings = ImagingSettings(
        slots=slots,
        process_max_resident=max_resident,
        process_max_calls=max_calls,
        heavy_waiting=heavy_waiting,
    )
    executor = Executor(settings, waiting=2, program=ACTING)
    await executor.start()
    try:
        yield executor
    finally:
        await executor.stop()


async def pid_of(executor: Executor, action: Action = "nothing", amount: float = 0) -> int:
    """Return the id of the process that does a call."""
    return (await done_by(executor, Act(action=action, amount=amount))).pid
