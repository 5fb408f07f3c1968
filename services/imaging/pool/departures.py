"""Departures: calls that wait behind long ones leave, for another worker to do them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from services.imaging.pool.adaptive_limit import SHORT, AdaptiveLimit
from services.imaging.pool.priority import Caller, PrioritySemaphore
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

Leave = Callable[[], Awaitable[bool]]
"""Passes the work of a caller on to another worker; returns False if none can be found."""


class Left(Exception):
    """A call has left: another worker does it."""


@dataclass
class _Waiting:
    semaphore: PrioritySemaphore
    leave: Leave
    timer: asyncio.TimerHandle


class Departures:
    """Lets callers leave that wait behind long work, beyond those that a worker takes at least.

    While calls end, a caller that has waited for 100 ms lowers the worker's limit. If none has
    ended for so long, the limit goes back to the least, and the last ones in the queue leave.
    """

    def __init__(self, limit: AdaptiveLimit) -> None:
        self._limit = limit
        self._waiting: dict[Caller, _Waiting] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._moved = 0.0
        """Loop time at which a call ended, or callers were told to leave."""

    @contextmanager
    def watched(
        self, semaphore: PrioritySemaphore, caller: Caller, leave: Leave | None
    ) -> Iterator[None]:
        """Let a caller leave while it waits for `semaphore` in the context: it raises Left then."""
        if leave is None or semaphore.taken < semaphore.size:
            yield
            return
        self._waiting[caller] = _Waiting(semaphore, leave, self._look_later(caller))
        try:
            yield
        finally:
            self._waiting.pop(caller).timer.cancel()

    def note_end(self) -> None:
        """Note that a call has ended."""
        self._moved = asyncio.get_running_loop().time()

    async def stop(self) -> None:
        """End the departures under way; their callers wait on."""
        await asyncio.gather(*map(end, self._leaving))

    def _look_later(self, caller: Caller) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(SHORT, self._look, caller)

    def _look(self, caller: Caller) -> None:
        if caller.answer.done():
            return
        self._waiting[caller].timer = self._look_later(caller)
        now = asyncio.get_running_loop().time()
        if now - self._moved < SHORT:
            self._limit.lower()
            return
        self._moved = now
        self._limit.shrink()
        remaining = self._limit.excess - len(self._leaving)
        for last, waiting in reversed(self._waiting.items()):
            if remaining <= 0:
                break
            if not last.answer.done() and waiting.semaphore.leave(last):
                remaining -= 1
                task = asyncio.create_task(self._leave(last, waiting), name="call-leaves")
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)

    async def _leave(self, caller: Caller, waiting: _Waiting) -> None:
        left = False
        try:
            left = await waiting.leave()
        except Exception as exc:
            log.error("a call could not leave", exc_info=exc)
        finally:
            # Else its deadline has passed, or its client has left.
            if not caller.answer.done():
                if left:
                    caller.answer.set_exception(Left())
                else:
                    waiting.semaphore.come_back([caller])
