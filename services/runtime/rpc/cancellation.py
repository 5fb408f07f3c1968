"""Cancellation: a request whose caller has left, or stops waiting, is stopped or never started."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable
from typing import TypeVar

from contracts.control import Cancel
from contracts.errors import DeadlineExceeded
from services.runtime.rpc.deadlines import remaining
from services.runtime.rpc.discarded import Cancelled

ResultT = TypeVar("ResultT")

_MAX_REMEMBERED = 10_000


class Cancellations:
    """Running and cancelled subjects of one worker: reply channels of requests, ids of jobs."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[object]] = {}
        # Every worker is sent every cancellation, and never receives most of the subjects. The
        # last ones suffice for the requests that wait in a list or a stream.
        self._cancelled: OrderedDict[str, None] = OrderedDict()

    def cancel(self, cancel: Cancel) -> None:
        """Cancel the task that runs the subject, and remember the subject for when it arrives."""
        self._cancelled[cancel.subject] = None
        if len(self._cancelled) > _MAX_REMEMBERED:
            self._cancelled.popitem(last=False)
        task = self._running.get(cancel.subject)
        if task is not None:
            task.cancel()

    def check(self, subject: str) -> None:
        """Raise Cancelled if `subject` was cancelled."""
        if subject in self._cancelled:
            raise Cancelled

    async def run(self, subject: str, work: Awaitable[ResultT]) -> ResultT:
        """Await `work` and return its result.

        Raises Cancelled if `subject` is cancelled meanwhile, and DeadlineExceeded at the deadline;
        both cancel the work. Any other cancellation of this task is raised as CancelledError.
        """
        task = asyncio.current_task()
        assert task is not None
        self._running[subject] = task
        try:
            async with asyncio.timeout(remaining()) as limit:
                return await work
        except TimeoutError as exc:
            if not limit.expired():
                # The handler's own.
                raise
            raise DeadlineExceeded("The work took longer than its deadline allows.") from exc
        except asyncio.CancelledError:
            if subject not in self._cancelled:
                raise
            task.uncancel()
            raise Cancelled from None
        finally:
            # A request that was sent twice has a second task, which may be registered by now.
            if self._running.get(subject) is task:
                del self._running[subject]
