"""Cancel a call when its HTTP client disconnects."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.runtime.tasks import end

_UNWATCHED = 0.25
"""Seconds until the client is watched: short calls end without the cost of a watch."""

ResultT = TypeVar("ResultT")


async def cancel_on_disconnect(request: Request, call: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Return the result of `call`, which is cancelled when the client disconnects first.

    That takes a quarter of a second from its begin at least. The request's body must have been
    read. Raises ClientDisconnect, and every exception of `call`.
    """
    watch = _Watch(request)
    try:
        return await call
    except asyncio.CancelledError:
        if watch.has_cancelled():
            raise ClientDisconnect from None
        raise
    finally:
        await watch.end()


class _Watch:
    """Cancels the current task when the client of its request disconnects, as a timeout would."""

    def __init__(self, request: Request) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._request, self._task = request, task
        self._cancelled_before = task.cancelling()
        self._disconnected = False
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_UNWATCHED, self._begin)

    def has_cancelled(self) -> bool:
        """Return whether the task was cancelled by this watch, and by nobody else."""
        return self._disconnected and self._task.uncancel() <= self._cancelled_before

    async def end(self) -> None:
        """Watch no longer."""
        self._timer.cancel()
        if self._watching is not None:
            await end(self._watching)

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._watch(), name="client-disconnect")

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._disconnected = True
        self._task.cancel()
