"""Shared calls: callers that want an equal result at the same time wait for one call."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from contracts.errors import DeadlineExceeded

ResultT = TypeVar("ResultT")


@dataclass(eq=False, slots=True)
class _Call(Generic[ResultT]):
    """A call under way."""

    until: float
    """The moment of the loop's clock up to which the call waits for its result."""
    task: asyncio.Task[ResultT] = field(init=False)
    waiting: set[asyncio.Future[None]] = field(default_factory=set)
    """A future of each caller, which wakes it."""


class SharedCalls(Generic[ResultT]):
    """The calls under way of one kind, by key.

    A caller that leaves does not end the call of the others. The call is cancelled when the last of
    them leaves, unless calls are `finished` without callers as well.
    """

    def __init__(self, name: str, *, finished: bool = False) -> None:
        self._name = name
        self._finished = finished
        self._calls: dict[Hashable, _Call[ResultT]] = {}
        self._tasks: set[asyncio.Task[ResultT]] = set()  # an event loop has weak references alone

    def __len__(self) -> int:
        return len(self._tasks)

    def has(self, key: Hashable, *, timeout: float) -> bool:
        """Return whether `run` would join a call."""
        call = self._calls.get(key)
        return call is not None and call.until >= asyncio.get_running_loop().time() + timeout

    async def run(
        self,
        key: Hashable,
        start: Callable[[], Coroutine[Any, Any, ResultT]],
        *,
        timeout: float,
        lasting: float,
    ) -> ResultT:
        """Return the result of the call under way; begin one by `start` if there is none.

        A call that ends before this caller's `timeout` seconds is not joined: another one begins,
        which later callers join. A call that begins here ends by itself `lasting` seconds from now.
        Raises what the call raises, and DeadlineExceeded after `timeout` seconds.
        """
        call = self._calls[key] if self.has(key, timeout=timeout) else None
        if call is None:
            call = self._begin(key, start, lasting)
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        call.waiting.add(woken)
        # Not asyncio.timeout: its one cancellation can get lost. Nor asyncio.wait, which wakes a
        # caller one turn of the event loop later.
        timer = loop.call_later(timeout, _wake, woken)
        try:
            await woken
        finally:
            timer.cancel()
            call.waiting.discard(woken)
            if not call.waiting and not call.task.done() and not self._finished:
                self._forget(key, call)
                call.task.cancel()
        if not call.task.done():
            raise DeadlineExceeded(f"No answer within {timeout:g} s.")
        return call.task.result()

    def _begin(
        self, key: Hashable, start: Callable[[], Coroutine[Any, Any, ResultT]], lasting: float
    ) -> _Call[ResultT]:
        loop = asyncio.get_running_loop()
        call: _Call[ResultT] = _Call(loop.time() + lasting)
        call.task = loop.create_task(self._do(key, call, start), name=self._name)
        self._calls[key] = call
        self._tasks.add(call.task)
        call.task.add_done_callback(partial(self._on_end, key, call))
        return call

    async def _do(
        self, key: Hashable, call: _Call[ResultT], start: Callable[[], Coroutine[Any, Any, ResultT]]
    ) -> ResultT:
        try:
            return await start()
        finally:
            # The task is done before any of the callers runs.
            self._forget(key, call)
            for woken in call.waiting:
                _wake(woken)

    def _on_end(self, key: Hashable, call: _Call[ResultT], task: asyncio.Task[ResultT]) -> None:
        self._tasks.discard(task)
        self._forget(key, call)
        if not task.cancelled():
            # Mark the exception as read: all callers may have just left.
            task.exception()

    def _forget(self, key: Hashable, call: _Call[ResultT]) -> None:
        # A call that began later may have the key by now.
        if self._calls.get(key) is call:
            del self._calls[key]


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
