"""Short renders of jobs share the way to a pool process, which costs as much as they do.

What fails on the way in company is done again alone, so that nobody pays for another's image.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from contracts.errors import ServiceError
from contracts.imaging import Render, Rendered
from services.imaging.jobs.capacity import SOON, AdaptiveLimit
from services.imaging.pool import tasks
from services.imaging.pool.executor import Done, Executor
from services.imaging.settings import ImagingSettings
from services.runtime.tasks import end

ResultT = TypeVar("ResultT")

_TOGETHER = 20.0  # ms that renders which go together may take, as far as one can tell
_MOST = 8
_WEIGHT = 0.2  # of the latest in the mean
_PATIENCE = 5.0  # seconds that those who go together have, so that none waits long for another
_GRACE = 0.25  # seconds that a render whose job was cancelled may take on, for the others' sake


class NotBegun(Exception):
    """What was before it takes long, and it is let go."""


@dataclass(frozen=True)
class _Passenger:
    request: Render
    rendered: asyncio.Future[Rendered]


class MicroBatcher:
    """Takes the renders of jobs to the executor, as many at once as are soon done.

    While one takes long, what waits behind it is let go, and there is less and less `room`.
    """

    def __init__(self, executor: Executor, settings: ImagingSettings, room: AdaptiveLimit) -> None:
        self._executor = executor
        self._settings = settings
        self._room = room
        self._waiting: deque[_Passenger] = deque()
        self._carriers = 0
        self._carrying: set[asyncio.Task[None]] = set()
        self._ms: float | None = None  # that a render has taken, of late

    async def render(self, request: Render, *, alone: bool, keep_source: bool) -> Rendered:
        """As `tasks.render`. Raises what the executor raises, and NotBegun."""
        if alone or keep_source or self._together < 2:
            return await self._alone(request, keep_source=keep_source)
        rendered: asyncio.Future[Rendered] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Passenger(request, rendered))
        if self._carriers < self._executor.slots:
            self._carriers += 1
            task = asyncio.create_task(self._carry(), name="carrier")
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)
        return await rendered

    async def stop(self) -> None:
        """Carry nothing more."""
        await asyncio.gather(*(end(task) for task in self._carrying))

    @property
    def _together(self) -> int:
        return 1 if self._ms is None else max(1, min(_MOST, int(_TOGETHER / max(1.0, self._ms))))

    async def _carry(self) -> None:
        try:
            while some := self._next():
                if len(some) == 1 or not await self._carried(some):
                    await asyncio.gather(*(self._carried_alone(one) for one in some))
        finally:
            # In the step that found nobody waiting: who comes a moment later starts another.
            self._carriers -= 1

    def _next(self) -> list[_Passenger]:
        """A slot's share of those who wait."""
        waiting = [one for one in self._waiting if not one.rendered.done()]
        number = min(self._together, -(-len(waiting) // self._executor.slots))
        self._waiting = deque(waiting[number:])
        return waiting[:number]

    async def _carried(self, some: list[_Passenger]) -> bool:
        """Whether all is well; those that the way had become too long for wait again."""
        texts = tuple(one.request.model_dump_json() for one in some)
        patience = min(_PATIENCE, self._settings.render_timeout)
        work = asyncio.create_task(self._run(tasks.render_some, texts, patience))
        for one in some:
            one.rendered.add_done_callback(partial(_hurry, work, _GRACE))
        await _over(work)
        if work.cancelled() or work.exception() is not None:
            self._ms = _TOGETHER
            return False
        outcomes, _ = work.result()
        for one, outcome in zip(some, outcomes, strict=False):
            self._observe(outcome)
            _tell(one.rendered, outcome)
        self._waiting.extendleft(reversed(some[len(outcomes) :]))
        return True

    async def _carried_alone(self, one: _Passenger) -> None:
        if one.rendered.done():
            return
        work = asyncio.create_task(self._alone(one.request, keep_source=False))
        one.rendered.add_done_callback(partial(_hurry, work, 0.0))
        await _over(work)
        if not work.cancelled():
            _tell(one.rendered, work.exception() or work.result())

    async def _alone(self, request: Render, *, keep_source: bool) -> Rendered:
        text = request.model_dump_json()
        render = partial(tasks.render, keep_source=keep_source)
        rendered, _ = await self._run(render, text, self._settings.render_timeout)
        self._observe(rendered)
        return rendered

    async def _run(
        self, work: Callable[..., ResultT], what: object, timeout: float
    ) -> tuple[ResultT, Done]:
        settings, loop = self._settings, asyncio.get_running_loop()
        late: asyncio.TimerHandle | None = None

        def begun() -> None:
            nonlocal late
            late = loop.call_later(SOON, let_go)

        def let_go() -> None:
            self._let_go()
            begun()

        try:
            return await self._executor.run_later(
                work, what, settings, settings.job_ttl, timeout=timeout, begun=begun
            )
        finally:
            if late is not None:
                late.cancel()

    def _let_go(self) -> None:
        """Take less, and begin nothing of what waits: another worker may be sooner."""
        self._room.halve()
        for one in self._waiting:
            if not one.rendered.done():
                one.rendered.set_exception(NotBegun())
        self._waiting.clear()

    def _observe(self, outcome: Rendered | ServiceError) -> None:
        if isinstance(outcome, ServiceError):
            return
        # Without the way: the busier a machine is, the longer that takes, and the more it is worth
        # to share it.
        ms = outcome.decode_ms + outcome.operations_ms + outcome.encode_ms
        mean = ms if self._ms is None else self._ms
        # One that was long goes alone at once; it takes several short ones to believe them.
        self._ms = max(mean + _WEIGHT * (ms - mean), ms / _MOST)


async def _over(work: asyncio.Task[Any]) -> None:
    try:
        await asyncio.wait([work])
    except asyncio.CancelledError:
        await end(work)
        raise


def _hurry(work: asyncio.Task[Any], grace: float, rendered: asyncio.Future[Rendered]) -> None:
    """Stop what nobody waits for any more."""
    if rendered.cancelled() and not work.done():
        asyncio.get_running_loop().call_later(grace, work.cancel)


def _tell(rendered: asyncio.Future[Rendered], outcome: Rendered | BaseException) -> None:
    if rendered.done():
        return
    if isinstance(outcome, Rendered):
        rendered.set_result(outcome)
    else:
        rendered.set_exception(outcome)
