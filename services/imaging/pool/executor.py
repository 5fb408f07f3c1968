"""Admission and deadlines of the calls to the pool's processes.

The process of a call that is cancelled or late is killed if it does not end the call soon; decision
0023 says why. No decoder can block the event loop.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import structlog

from contracts.errors import DeadlineExceeded, Failure, Overloaded, WorkerCrashed
from services.imaging.pool.adaptive_limit import SHORT, AdaptiveLimit
from services.imaging.pool.attempts import do_in_a_place
from services.imaging.pool.child_settings import ChildSettings
from services.imaging.pool.departures import Depart, Departures
from services.imaging.pool.joined_calls import Turn, Work, result_with_others
from services.imaging.pool.messages import MAX_JOINED, Call, Content, Corrupt, Heavy, OutcomeT
from services.imaging.pool.places import Places, Wear
from services.imaging.pool.priority import Caller, PrioritySemaphore
from services.imaging.pool.process import PoolProcess, Program
from services.imaging.pool.verdicts import Verdict
from services.imaging.settings import ImagingSettings
from services.runtime.retry_after import UnderWay, whole_seconds

log = structlog.get_logger(__name__)

_PATIENCE = 3  # times its budget: work that takes longer was underestimated, and is heavy
_HEAVY_JOBS = 2  # of one heavy slot: one that runs, and one that waits
_CPU_MARGIN = 5  # seconds of CPU beyond a call's time: the deadline should come first
_OPENED = 2  # times the slots: calls whose images are open, for those that run and the next ones

Undone = Failure | Verdict | Corrupt
"""The outcome of a part that failed."""


class CallFailed(Exception):
    """A bug in a pool process; the message is its traceback."""


@dataclass(frozen=True)
class CallTimes:
    """Milliseconds that a call waited for its images and a pool process, and that it took there.

    Calls that were done as one have the same time there.
    """

    queue_ms: float
    work_ms: float


Lend = Callable[[], AbstractContextManager[None]]
"""Makes a context in which work does not count as one of the messages that a worker handles."""

Opening = Callable[[], AbstractAsyncContextManager[Sequence[Content]]]
"""Makes a context in which the images of a call are open: its value."""


@asynccontextmanager
async def _nothing_open() -> AsyncIterator[Sequence[Content]]:
    yield ()


class Executor:
    """Does calls in `settings.slots` processes, once `start` has returned.

    At most `waiting` calls of `run` are queued, and more are refused; `run_later` refuses none.
    Short ones that wait are done with others. `limit` adapts to the time that calls of `run` take.

    Heavy work has slots of its own kind, so that it cannot take all of them. The process knows the
    size of an image, so a call starts with a budget there, and starts again as heavy work if the
    estimate is beyond it. Decision 0026 has the reasons.
    """

    def __init__(
        self,
        settings: ImagingSettings,
        *,
        waiting: int,
        limit: AdaptiveLimit | None = None,
        program: Program | None = None,
    ) -> None:
        self.slots = settings.slots
        self._waiting = waiting
        self._semaphore = PrioritySemaphore(self.slots)
        self._opened = [PrioritySemaphore(_OPENED * self.slots) for _ in range(2)]
        # Those that are done with others find none unless more are open. They have few images.
        self._opened_joining = PrioritySemaphore(_OPENED * MAX_JOINED * self.slots)
        self._limit = limit or AdaptiveLimit(self.slots, self.slots)
        self._departures = Departures(self._limit)
        self._accepted = UnderWay()
        self._heavy_waiting = settings.heavy_waiting
        self._heavy_calls, self._heavy_jobs = UnderWay(), UnderWay()
        start = partial(PoolProcess.start, program or Program(), ChildSettings.of(settings))
        wear = Wear(resident=settings.process_max_resident, calls=settings.process_max_calls)
        self._places = Places(self.slots, start, wear)

    @property
    def busy(self) -> int:
        """Return the number of slots in use."""
        return self._semaphore.taken

    @property
    def heavy_places(self) -> int:
        """Return the number of heavy calls of clients that may run or wait."""
        return self._semaphore.heavy_size + self._heavy_waiting

    @property
    def processes(self) -> list[PoolProcess]:
        """Return the processes that run."""
        return self._places.processes

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the names of the protections that pool processes lack on this system."""
        return tuple(dict.fromkeys(chain(*(process.missing for process in self.processes))))

    async def start(self) -> None:
        """Start every process, and return when all are ready. Raises as `PoolProcess.start`."""
        await self._places.start()
        if self.missing:
            log.warning("pool processes lack protections", missing=self.missing)

    async def stop(self) -> None:
        """End every process, and start no more."""
        await self._departures.stop()
        await self._places.stop()

    async def run(
        self,
        call: Call[OutcomeT],
        opening: Opening = _nothing_open,
        *,
        timeout: float,
        lend: Lend = nullcontext,
        depart: Depart | None = None,
    ) -> tuple[list[OutcomeT | Undone | Heavy], CallTimes]:
        """Do a call of one part, for a client that waits; enter `lend` if the work is heavy.

        `opening` opens the call's images, once the call is admitted. `timeout` counts in seconds
        from now, so it includes the wait for a slot. A call that waits long for one may `depart`.
        Raises Overloaded at once if all slots and all places in the queue are taken, Departed,
        DeadlineExceeded, WorkerCrashed, CallFailed, and what `opening` raises.
        """
        if len(self._accepted) >= self.slots + self._waiting:
            seconds = self._accepted.retry_after
            raise Overloaded("Every slot is taken, and every place to wait.", retry_after=seconds)
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        with self._accepted.one():
            try:
                outcomes, times = await self._run(call, opening, timeout, depart=depart)
            except BaseException:
                if loop.time() - arrived > SHORT:
                    self._limit.lower()
                raise
            self._limit.observe(loop.time() - arrived)
        if any(isinstance(one, Heavy) for one in outcomes):
            with lend():
                return await self._run_heavy(call, opening, timeout, times)
        return outcomes, times

    async def _run_heavy(
        self, call: Call[OutcomeT], opening: Opening, timeout: float, spent: CallTimes
    ) -> tuple[list[OutcomeT | Undone | Heavy], CallTimes]:
        if len(self._heavy_calls) >= self.heavy_places:
            seconds = self._heavy_calls.retry_after
            raise Overloaded("Too many heavy renders wait already.", retry_after=seconds)
        before = spent.queue_ms + spent.work_ms
        with self._heavy_calls.one():
            outcomes, times = await self._run(
                _unbudgeted(call), opening, timeout - before / 1000, heavy=True
            )
        return outcomes, CallTimes(before + times.queue_ms, times.work_ms)

    async def run_later(
        self,
        call: Call[OutcomeT],
        opening: Opening = _nothing_open,
        *,
        timeout: float,
        on_start: Callable[[], None],
    ) -> tuple[list[OutcomeT | Undone | Heavy], CallTimes]:
        """Do a call for a job: after the calls of `run`, and never refused.

        `timeout` counts in seconds from when a slot is free, which is when `on_start` is called.
        Parts that turn out to be heavy are not done. Raises as `run`, without Overloaded.
        """
        return await self._run(call, opening, timeout, on_start=on_start)

    async def run_heavy_later(
        self, call: Call[OutcomeT], opening: Opening = _nothing_open, *, timeout: float
    ) -> tuple[list[OutcomeT | Undone | Heavy], CallTimes]:
        """Do a call of one part, which is heavy, for a job. `timeout` as for `run_later`.

        Raises as `run`; Overloaded if another job's heavy work waits already.
        """
        if len(self._heavy_jobs) >= _HEAVY_JOBS * self._semaphore.heavy_size:
            seconds = whole_seconds(self._heavy_jobs.longest / 2)
            raise Overloaded("Heavy renders of jobs wait already.", retry_after=seconds)
        with self._heavy_jobs.one():
            return await self._run(
                _unbudgeted(call), opening, timeout, on_start=lambda: None, heavy=True
            )

    async def _run(
        self,
        call: Call[OutcomeT],
        opening: Opening,
        timeout: float,
        *,
        on_start: Callable[[], None] | None = None,
        heavy: bool = False,
        depart: Depart | None = None,
    ) -> tuple[list[OutcomeT | Undone | Heavy], CallTimes]:
        loop = asyncio.get_running_loop()
        arrived, started, alone_until = loop.time(), math.inf, math.inf
        deadline = arrived + timeout
        patience = math.inf if call.budget is None else _PATIENCE * call.budget
        deaths: list[WorkerCrashed] = []
        try:
            async with asyncio.timeout(None if on_start else timeout) as limit:
                urgent = on_start is None
                slot = self._slot(call, opening, urgent=urgent, heavy=heavy, depart=depart)
                async with slot as turn:
                    started = loop.time()
                    if on_start:
                        deadline = started + timeout
                        on_start()
                    limit.reschedule(deadline)
                    if result := await result_with_others(self._places, self._semaphore, turn):
                        return [result.outcome], _times(arrived, result.started, loop.time())
                    alone_until = loop.time() + patience
                    limit.reschedule(min(deadline, alone_until))
                    seconds = math.ceil(timeout) + _CPU_MARGIN
                    contents = turn.contents
                    answer = await do_in_a_place(self._places, call, contents, seconds, deaths)
        except TimeoutError as exc:
            times = _times(arrived, started, loop.time())
            if alone_until < deadline:
                log.warning("work was underestimated", budget=call.budget)
                return [Heavy(seconds=patience)], times
            if deaths:
                # On a busy machine, the start of another process may take the rest of the time.
                raise deaths[0] from exc
            raise DeadlineExceeded("The work took longer than its deadline allows.") from exc
        finally:
            if started < math.inf:
                self._departures.note_end()
        times = _times(arrived, started, loop.time())
        if answer.bug is not None:
            raise CallFailed(answer.bug)
        if not answer.outcomes:
            raise CallFailed("The process answered a call with nothing.")
        return list(answer.outcomes), times

    @asynccontextmanager
    async def _slot(
        self, call: Call[Any], opening: Opening, *, urgent: bool, heavy: bool, depart: Depart | None
    ) -> AsyncIterator[Turn]:
        """Take a slot and open the images, or wait until another call has done this one, too.

        The images of short work are opened while it waits for its slot. Heavy work may wait long,
        so it opens its images in the slot: others could open none meanwhile.
        """
        caller = Caller(call.source)
        slot = self._semaphore.acquire(caller, urgent=urgent, heavy=heavy)
        if heavy:
            async with slot, opening() as contents:
                yield Turn(contents, caller)
            return
        joins = urgent and call.may_join
        opened = self._opened_joining if joins else self._opened[urgent]
        opener = Caller()
        with self._departures.watched(opened, opener, depart):
            async with opened.acquire(opener, urgent=True), opening() as contents:
                if joins:
                    caller.work = Work(call, contents)
                with self._departures.watched(self._semaphore, caller, depart):
                    async with slot as done:
                        yield Turn(contents, caller, done)


def _times(arrived: float, started: float, ended: float) -> CallTimes:
    return CallTimes((started - arrived) * 1000, (ended - started) * 1000)


def _unbudgeted(call: Call[OutcomeT]) -> Call[OutcomeT]:
    return call.model_copy(update={"budget": None})
