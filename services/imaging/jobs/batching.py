"""Micro-batches the renders of jobs: a call to a pool process costs as much as a small render.

Decision 0018 has the measurements.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from contracts.errors import OutOfMemory, ServiceError
from contracts.imaging import Render, Rendered
from services.imaging.pool.adaptive_limit import SHORT, AdaptiveLimit
from services.imaging.pool.messages import Heavy
from services.imaging.rendering.renders import Renders, Result
from services.imaging.settings import ImagingSettings
from services.runtime.tasks import end

_MOST = 8  # renders of a batch
_BATCH_TIMEOUT = 1.0  # seconds; afterwards each render of a batch runs alone


class NotStarted(Exception):
    """A render was not started, as long ones go before it; another worker may start it sooner."""

    def __init__(self, delay: float = 0) -> None:
        super().__init__()
        self.delay = delay
        """Seconds until this worker may have room for it."""


@dataclass(frozen=True)
class _Pending:
    request: Render
    rendered: asyncio.Future[Rendered | Heavy | None]
    """The result; None if the render is to run alone, Heavy if it is to run as heavy work."""


class MicroBatcher:
    """Passes renders to the pool, one batch for each slot, up to eight renders in a batch.

    A render that turns out to be heavy runs alone, and does not count in the worker's limit.

    A batch that fails or takes longer than a second is repeated, each of its renders alone. So one
    image cannot fail the render of another.
    """

    def __init__(self, renders: Renders, settings: ImagingSettings, limit: AdaptiveLimit) -> None:
        self._renders = renders
        self._settings = settings
        self._limit = limit
        self._pending: deque[_Pending] = deque()
        self._batches: set[asyncio.Task[None]] = set()
        self._in_pool: set[asyncio.Task[None]] = set()  # those that no pool process has done yet
        self._size = _MOST  # of the next batch

    async def render(self, request: Render, *, alone: bool, keep_source: bool) -> Rendered:
        """Render `request`, outside of any batch if `alone` or `keep_source` is true.

        With `keep_source` the pool process keeps the decoded source for its next render.
        Raises what `Renders.render_later` and `render_heavy_later` raise, and NotStarted.
        """
        outcome: Rendered | ServiceError | Heavy | None = None
        if not alone and not keep_source:
            pending = _Pending(request, asyncio.get_running_loop().create_future())
            self._pending.append(pending)
            self._start_batches()
            outcome = await pending.rendered
        if outcome is None:
            [outcome] = await self._call([request], keep_source=keep_source)
        if isinstance(outcome, Heavy):
            with self._limit.lent():
                rendered, _ = await self._renders.render_heavy_later(
                    request, timeout=self._settings.render_timeout, keep_source=keep_source
                )
                return rendered
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome

    async def stop(self) -> None:
        """Cancel the batches in progress and start no more."""
        self._pending.clear()
        await asyncio.gather(*(end(task) for task in self._batches))

    def _start_batches(self) -> None:
        while len(self._in_pool) < self._renders.slots and (batch := self._next_batch()):
            task = asyncio.create_task(self._run(batch), name="render-batch")
            self._batches.add(task)
            self._in_pool.add(task)
            task.add_done_callback(self._on_end)
            for pending in batch:
                pending.rendered.add_done_callback(partial(_cancel_if_unwanted, task, batch))

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """Start the next batch, a larger one, while the renditions of this one are stored."""
        self._size = min(_MOST, self._size + 1)
        self._in_pool.discard(task)
        self._start_batches()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        self._in_pool.discard(task)
        self._start_batches()

    def _next_batch(self) -> list[_Pending]:
        """Take one slot's share of the pending renders, without those whose job was cancelled."""
        pending = [one for one in self._pending if not one.rendered.done()]
        size = min(self._size, -(-len(pending) // self._renders.slots))
        self._pending = deque(pending[size:])
        return pending[:size]

    async def _run(self, batch: list[_Pending]) -> None:
        outcomes: Sequence[Rendered | Heavy | Exception | None]
        try:
            task = asyncio.current_task()
            assert task is not None
            requests = [pending.request for pending in batch]
            outcomes = await self._call(requests, on_end=partial(self._on_done, task))
        except Exception as exc:
            # Of several renders nobody knows which one failed.
            outcomes = [exc] if len(batch) == 1 else [None] * len(batch)
        for pending, outcome in zip(batch, outcomes, strict=False):
            if pending.rendered.done():
                continue
            if isinstance(outcome, OutOfMemory) and len(batch) > 1:
                # Alone, it has a second attempt in a fresh process.
                pending.rendered.set_result(None)
            elif isinstance(outcome, Exception):
                pending.rendered.set_exception(outcome)
            else:
                pending.rendered.set_result(outcome)
        if left_out := batch[len(outcomes) :]:
            self._pending.extendleft(reversed(left_out))
            self._size = len(outcomes)

    async def _call(
        self,
        requests: Sequence[Render],
        *,
        on_end: Callable[[], None] = lambda: None,
        keep_source: bool = False,
    ) -> list[Result]:
        loop, timeout = asyncio.get_running_loop(), self._settings.render_timeout
        timer: asyncio.TimerHandle | None = None

        def watch() -> None:
            nonlocal timer
            timer = loop.call_later(SHORT, on_long)

        def on_long() -> None:
            self._release_pending()
            watch()

        try:
            results, _ = await self._renders.render_later(
                requests,
                timeout=timeout if len(requests) == 1 else min(_BATCH_TIMEOUT, timeout),
                on_start=watch,
                on_end=on_end,
                keep_source=keep_source,
            )
        finally:
            if timer is not None:
                timer.cancel()
        return results

    def _release_pending(self) -> None:
        """Halve the limit, and fail every pending render with NotStarted."""
        self._limit.halve()
        for pending in self._pending:
            if not pending.rendered.done():
                pending.rendered.set_exception(NotStarted())
        self._pending.clear()


def _cancel_if_unwanted(
    task: asyncio.Task[None], batch: Sequence[_Pending], _: asyncio.Future[Rendered | Heavy | None]
) -> None:
    """Cancel a batch once the jobs of all its renders have been cancelled."""
    if all(pending.rendered.cancelled() for pending in batch):
        task.cancel()
