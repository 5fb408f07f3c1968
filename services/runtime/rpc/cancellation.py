"""Cancellation: a request whose caller has left, or stops waiting, is stopped or never started."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable
from typing import Any, TypeVar

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
        deadline = _Deadline(task)
        try:
            return await work
        except asyncio.CancelledError:
            late = deadline.end()
            if subject in self._cancelled:
                task.uncancel()
                raise Cancelled from None
            if late:
                reason = "The work took longer than its deadline allows."
                raise DeadlineExceeded(reason) from None
            raise
        finally:
            deadline.end()
            # A request that was sent twice has a second task, which may be registered by now.
            if self._running.get(subject) is task:
                del self._running[subject]


class _Deadline:
    """Cancels a task at the deadline of the request that it handles.

    Does what asyncio.timeout does, by a timer alone: a small call is mostly such additions.
    """

    __slots__ = ("_cancelling", "_passed", "_task", "_timer")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._cancelling = task.cancelling()
        self._passed = False
        left = remaining()
        self._timer = None if left is None else task.get_loop().call_later(left, self._pass)

    def end(self) -> bool:
        """Cancel nothing any more; return whether the deadline alone has cancelled the task."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._passed:
            return False
        self._passed = False
        return self._task.uncancel() <= self._cancelling

    def _pass(self) -> None:
        self._passed = True
        self._task.cancel()
