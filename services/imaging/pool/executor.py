"""Process pool with admission control, deadlines and replacement of lost processes.

The processes are anyio's. A call that is cancelled or late kills its process, and a crash fails
only the call that caused it; decision 0004 says why. No decoder can block the event loop.
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
from services.imaging.pool.priority import PrioritySemaphore
from services.runtime.retry_after import RetryAfter

log = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT")

_STDERR = 2  # the file descriptor: C libraries write past Python's sys.stderr


@dataclass(frozen=True)
class CallTimes:
    """Milliseconds that a call waited for a pool process, and that it took there."""

    queue_ms: float
    work_ms: float


class Executor:
    """Runs importable functions in `slots` processes, once `start` has returned.

    At most `waiting` calls of `run` are queued, and more are refused; `run_later` refuses none.
    """

    def __init__(self, slots: int, *, waiting: int) -> None:
        self.slots = slots
        self._waiting = waiting
        self._semaphore = PrioritySemaphore(slots)
        self._accepted = 0
        self._retry_after = RetryAfter()
        self._start_process: Callable[[], Awaitable[object]] = _do_nothing
        self._replacements: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """Return the number of slots in use."""
        return self._semaphore.taken

    async def start(self, initializer: Callable[..., object], *args: object) -> None:
        """Start every process, and call `initializer(*args)` once in each.

        A process that replaces a lost one runs the same initializer.
        """
        # anyio ends a process that was idle for five minutes; the next call would start a new one.
        to_process.WORKER_MAX_IDLE_TIME = sys.maxsize
        self._start_process = partial(self._initialize, initializer, *args)
        await asyncio.gather(*(self._start_process() for _ in range(self.slots)))

    async def stop(self) -> None:
        """Replace no more processes; anyio ends the running ones with the event loop."""
        self._start_process = _do_nothing
        for task in self._replacements:
            task.cancel()
        await asyncio.gather(*self._replacements, return_exceptions=True)

    async def run(
        self, work: Callable[..., ResultT], *args: object, timeout: float
    ) -> tuple[ResultT, CallTimes]:
        """Call `work(*args)` in a process, for a client that waits.

        `timeout` counts in seconds from now, so it includes the wait for a slot. Raises Overloaded
        at once if all slots and all places in the queue are taken, DeadlineExceeded, WorkerCrashed,
        and what `work` raises.
        """
        if self._accepted >= self.slots + self._waiting:
            seconds = self._retry_after.wait(self._accepted, parallel=self.slots)
            raise Overloaded("Every slot is taken, and every place to wait.", retry_after=seconds)
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
        on_start: Callable[[], None],
    ) -> tuple[ResultT, CallTimes]:
        """Call `work(*args)` in a process, for a job: after the calls of `run`, and never refused.

        `timeout` counts in seconds from when a slot is free, which is when `on_start` is called.
        Raises as `run`, without Overloaded.
        """
        return await self._run(work, args, timeout, on_start=on_start)

    async def _run(
        self,
        work: Callable[..., ResultT],
        args: tuple[object, ...],
        timeout: float,
        *,
        on_start: Callable[[], None] | None = None,
    ) -> tuple[ResultT, CallTimes]:
        loop = asyncio.get_running_loop()
        arrived, has_slot = loop.time(), False
        try:
            async with asyncio.timeout(None if on_start else timeout) as limit:
                async with self._semaphore.acquire(urgent=on_start is None):
                    started, has_slot = loop.time(), True
                    if on_start:
                        limit.reschedule(started + timeout)
                        on_start()
                    result = await to_process.run_sync(
                        work, *args, cancellable=True, limiter=CapacityLimiter(1)
                    )
        except asyncio.CancelledError:
            if has_slot:
                self._replace_process()
            raise
        except TimeoutError as exc:
            if has_slot:
                self._replace_process()
            raise DeadlineExceeded("The work took longer than its deadline allows.") from exc
        except BrokenWorkerProcess as exc:
            self._replace_process()
            log.warning("pool process died")
            raise WorkerCrashed("The process that worked on this image died of it.") from exc
        except MemoryError as exc:
            raise WorkerCrashed("The work took more memory than its process may have.") from exc
        ended = loop.time()
        self._retry_after.observe(ended - started)
        return result, CallTimes((started - arrived) * 1000, (ended - started) * 1000)

    async def _initialize(self, initializer: Callable[..., object], *args: object) -> None:
        async with self._semaphore.acquire(urgent=True):
            await to_process.run_sync(initializer, *args, limiter=CapacityLimiter(1))

    def _replace_process(self) -> None:
        """Start a process in place of a lost one before the next call needs it."""
        task = asyncio.create_task(self._replace(), name="pool-replacement")
        self._replacements.add(task)
        task.add_done_callback(self._replacements.discard)

    async def _replace(self) -> None:
        try:
            await self._start_process()
        except Exception as exc:
            # The next call starts a process itself, and raises if that fails.
            log.error("pool process could not be replaced", exc_info=exc)


async def _do_nothing() -> None:
    pass


def limit_process(memory: int) -> None:
    """Limit the process that calls this to `memory` MiB of address space.

    The process also ignores SIGINT, because Ctrl-C reaches the whole process group and the service
    finishes its work in progress. Its standard error goes to /dev/null: anyio never reads that
    pipe, and a full pipe would block a decoder that writes warnings.
    """
    import resource

    with open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), _STDERR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    # The event loop goes first: heartbeats and refusals must not wait for pixels.
    os.nice(5)
