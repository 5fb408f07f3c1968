"""Calls that block, made in the threads of one source."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Result = TypeVar("_Result")


class Threads:
    """The threads of one source, one for each connection it may have.

    Each source has its own, so that a slow one holds up no other source.
    """

    def __init__(self, kind: str, number: int) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix=kind)

    async def call(
        self, call: Callable[[], _Result], *, undo: Callable[[_Result], object] | None = None
    ) -> _Result:
        """Return the result of a call; `undo` gets that of one whose caller was cancelled."""
        future = self._pool.submit(call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if undo is not None:
                future.add_done_callback(lambda done: _undo(done, undo))
            raise

    def close(self) -> None:
        """Take no more calls; those that wait are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _undo(done: Future[_Result], undo: Callable[[_Result], object]) -> None:
    if not done.cancelled() and done.exception() is None:
        undo(done.result())
