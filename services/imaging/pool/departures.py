"""Departures: calls that wait behind long ones go to another worker."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from services.imaging.pool.adaptive_limit import SHORT, AdaptiveLimit
from services.imaging.pool.priority import Caller, PrioritySemaphore
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

Depart = Callable[[], Awaitable[bool]]
"""Passes the work of a caller on to another worker; returns False if none can be found."""


class Departed(Exception):
    """A call has departed: another worker does it."""


@dataclass
class _Waiting:
    semaphore: PrioritySemaphore
    depart: Depart
    timer: asyncio.TimerHandle
    refused: bool = False
    """True if no other worker could be found."""


class Departures:
    """Lets callers depart that wait behind long work, beyond those that a worker takes at least.

    While calls end, a caller that has waited for 100 ms lowers the worker's limit. If none has
    ended for so long, the limit goes back to the least, and the last ones in the queue depart.
    """

    def __init__(self, limit: AdaptiveLimit) -> None:
        self._limit = limit
        self._waiting: dict[Caller, _Waiting] = {}
        self._departing: set[asyncio.Task[None]] = set()
        self._moved = 0.0
        """Loop time at which a call ended, or callers were told to depart."""

    @contextmanager
    def watched(
        self, semaphore: PrioritySemaphore, caller: Caller, depart: Depart | None
    ) -> Iterator[None]:
        """Let a caller depart while it waits for `semaphore` in the context: it raises Departed."""
        if depart is None or semaphore.taken < semaphore.size:
            yield
            return
        self._waiting[caller] = _Waiting(semaphore, depart, self._look_later(caller))
        try:
            yield
        finally:
            self._waiting.pop(caller).timer.cancel()

    def note_end(self) -> None:
        """Note that a call has ended, and has returned its slot."""
        self._moved = asyncio.get_running_loop().time()

    async def stop(self) -> None:
        """End the departures under way; their callers wait on."""
        await asyncio.gather(*map(end, self._departing))

    def _look_later(self, caller: Caller) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(SHORT, self._look, caller)

    def _look(self, caller: Caller) -> None:
        if caller.answer.done():
            return
        now = asyncio.get_running_loop().time()
        waiting = self._waiting[caller]
        late = now - waiting.timer.when()
        waiting.timer = self._look_later(caller)
        if late > SHORT / 2:
            # This process stood still: calls may have ended whose answers nobody has read yet.
            return
        if now - self._moved < SHORT:
            self._limit.lower()
            return
        self._moved = now
        self._limit.shrink()
        self._tell(self._limit.excess - len(self._departing))

    def _tell(self, number: int) -> None:
        """Have the last callers in the queue depart."""
        for last, waiting in reversed(self._waiting.items()):
            if number <= 0:
                return
            if not last.answer.done() and not waiting.refused and waiting.semaphore.take_out(last):
                number -= 1
                task = asyncio.create_task(self._depart(last, waiting), name="call-departs")
                self._departing.add(task)
                task.add_done_callback(self._departing.discard)

    async def _depart(self, caller: Caller, waiting: _Waiting) -> None:
        departed = False
        try:
            departed = await waiting.depart()
        except Exception as exc:
            log.error("a call could not depart", exc_info=exc)
        finally:
            waiting.refused = not departed
            # Else its deadline has passed, or its client has left.
            if not caller.answer.done():
                if departed:
                    caller.answer.set_exception(Departed())
                else:
                    waiting.semaphore.come_back([caller])
