"""Admission and the process pool: full is Overloaded, late is killed, a crash costs one request.

The processes are anyio's: a call that is cancelled kills its process, and the next call gets a new
one. Nothing that a decoder does can hold up the event loop.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from contracts.errors import DeadlineExceeded, Overloaded, WorkerCrashed
from services.imaging.pool.priority import Slots
from services.runtime.retry_after import RetryAfter

log = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT")

_STANDARD_ERROR = 2  # what libraries write to, past Python's own


@dataclass(frozen=True)
class Done:
    """How long a call waited for a process, and how long it had one."""

    queue_ms: float
    work_ms: float


class Executor:
    """Runs plain functions in `slots` processes, at most `waiting` calls queued behind them."""

    def __init__(self, slots: int, *, waiting: int) -> None:
        self.slots = slots
        self._waiting = waiting
        self._places = Slots(slots)
        self._accepted = 0
        self._pace = RetryAfter()
        self._warm: Callable[[], Awaitable[object]] = _nothing
        self._replacing: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """How many slots are taken."""
        return self._places.taken

    async def start(self, warm: Callable[..., object], *args: object) -> None:
        """Start every process by running `warm(*args)` in all of them at once."""
        # anyio ends what has been idle for five minutes; the next picture would wait for a new one.
        to_process.WORKER_MAX_IDLE_TIME = sys.maxsize
        self._warm = partial(self._in_a_process, warm, *args)
        await asyncio.gather(*(self._warm() for _ in range(self.slots)))

    async def stop(self) -> None:
        """Replace no more processes; those that there are end with the event loop."""
        self._warm = _nothing
        for task in self._replacing:
            task.cancel()
        await asyncio.gather(*self._replacing, return_exceptions=True)

    async def run(
        self, work: Callable[..., ResultT], *args: object, timeout: float
    ) -> tuple[ResultT, Done]:
        """`work(*args)` in a process, waiting and working `timeout` seconds at most.

        Raises Overloaded, DeadlineExceeded, WorkerCrashed, and what `work` raises.
        """
        if self._accepted >= self.slots + self._waiting:
            wait = self._pace.wait(self._accepted, parallel=self.slots)
            raise Overloaded("Every slot is taken, and every place to wait.", retry_after=wait)
        self._accepted += 1
        try:
            return await self._run(work, args, timeout)
        finally:
            self._accepted -= 1

    async def run_later(
        self,
        work: Callable[..., ResultT],
        *args: object,
        timeout: float,
        begun: Callable[[], None],
    ) -> tuple[ResultT, Done]:
        """As `run`, for work that nobody waits for: it is never refused, and what is waited for
        comes first. `timeout` counts from when it has a slot, which is when `begun` is called.
        """
        return await self._run(work, args, timeout, begun=begun)

    async def _run(
        self,
        work: Callable[..., ResultT],
        args: tuple[object, ...],
        timeout: float,
        *,
        begun: Callable[[], None] | None = None,
    ) -> tuple[ResultT, Done]:
        loop = asyncio.get_running_loop()
        arrived, has_slot = loop.time(), False
        try:
            async with asyncio.timeout(None if begun else timeout) as limit:
                async with self._places.take(urgent=begun is None):
                    started, has_slot = loop.time(), True
                    if begun:
                        limit.reschedule(started + timeout)
                        begun()
                    result = await to_process.run_sync(
                        work, *args, cancellable=True, limiter=CapacityLimiter(1)
                    )
        except asyncio.CancelledError:
            if has_slot:
                self._replace()
            raise
        except TimeoutError as exc:
            if has_slot:
                self._replace()
            raise DeadlineExceeded("The work took longer than its deadline allows.") from exc
        except BrokenWorkerProcess as exc:
            self._replace()
            log.warning("pool process died")
            raise WorkerCrashed("The process that worked on this image died of it.") from exc
        except MemoryError as exc:
            raise WorkerCrashed("The work took more memory than its process may have.") from exc
        ended = loop.time()
        self._pace.observe(ended - started)
        return result, Done((started - arrived) * 1000, (ended - started) * 1000)

    async def _in_a_process(self, work: Callable[..., object], *args: object) -> None:
        async with self._places.take(urgent=True):
            await to_process.run_sync(work, *args, limiter=CapacityLimiter(1))

    def _replace(self) -> None:
        """Have a new process ready before the next call needs one, if one was lost."""
        task = asyncio.create_task(self._replace_one(), name="pool-replacement")
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _replace_one(self) -> None:
        try:
            await self._warm()
        except BrokenWorkerProcess as exc:
            # The next call tries again, and tells its caller.
            log.error("pool process could not be replaced", exc_info=exc)


async def _nothing() -> None:
    pass


def prepare_process(memory: int) -> None:
    """Limit the process that this is called in to `memory` MiB of address space.

    It also leaves signals meant for the whole process group to the parent, which lets it finish.
    And it is silent: nobody reads what libraries say of hostile bytes, so that a render would wait
    one day for room in the pipe.
    """
    import resource

    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), _STANDARD_ERROR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    # The event loop goes first: its heartbeats and refusals must not wait for pixels.
    os.nice(5)
