"""A store for an event loop: the calls that block are made in threads."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import structlog

from contracts.errors import ServiceError, StoreFull, Unavailable
from services.runtime.storage.stores.failures import RETRY_AFTER
from services.runtime.storage.stores.health import StoreHealth, StoreState
from services.runtime.storage.stores.store import Missing, Store, StoredObject
from services.runtime.tasks import end
from services.runtime.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_THREADS = 32
"""Calls at once. A slow bucket takes 500 ms for a call, so this makes 64 of them a second."""

_INTERVAL = 5.0  # seconds from one check to the next
_CHECK_TIMEOUT = 10.0  # seconds: a disk on a network may hang for ever

_Result = TypeVar("_Result")


class AsyncStore:
    """The methods of a `Store`, for an event loop, with threads of its own.

    Raises what the store raises. Each call that is not cancelled counts in
    `darkroom_store_seconds`, with the time that it waits for a thread. A cancelled call ends in its
    thread, and nothing waits for it: a `put` may still store its bytes.
    """

    def __init__(self, store: Store, metrics: Metrics, *, threads: int = _THREADS) -> None:
        self._store = store
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store")
        # A thread of its own: a check tells of the store, not of how busy the others are.
        self._checks = ThreadPoolExecutor(1, thread_name_prefix="store-check")
        self._health = StoreHealth(store.name, store.address)
        self._task: asyncio.Task[None] | None = None
        self.name = store.name
        self.address = store.address
        self.scratch = store.scratch
        metrics.watch(
            "darkroom_store_available",
            "1 while the store of bytes works; 0 when it does not answer, or is full.",
            lambda: self.state.failure is None,
        )
        metrics.watch(
            "darkroom_store_free_bytes",
            "Bytes that still fit into the store; NaN where nobody knows.",
            lambda: float("nan") if self.state.free is None else self.state.free,
        )

    @property
    def state(self) -> StoreState:
        """The health of the store, without a call: from its last operations and the last check."""
        return self._health.state

    @property
    def running(self) -> bool:
        """True while the task that checks the store runs."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Check the store now and every few seconds. A store that is away is no error here."""
        await self._look()
        if self._task is None:
            self._task = asyncio.create_task(self._run_checks(), name="store-checks")

    async def stop(self) -> None:
        """Check no more, and take no more calls; those that wait for a thread are dropped."""
        await end(self._task)
        self._task = None
        for threads in (self._threads, self._checks):
            threads.shutdown(wait=False, cancel_futures=True)

    async def put(self, path: str, content: bytes | Path, *, durable: bool = True) -> None:
        """Store bytes, or a file of `scratch` that is moved or copied; replace what is there."""
        await self._call("put", lambda: self._store.put(path, content, durable=durable))

    def read(
        self, path: str, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` to `stop` in pieces. Raises Missing, before the first."""
        return self._iterate("read", self._store.read(path, start, stop))

    async def get(self, path: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`: few, as they are read in one step.

        Raises Missing.
        """
        return await self._call("read", lambda: b"".join(self._store.read(path, start, stop)))

    async def open(self, path: str) -> int:
        """Return a descriptor of a file with the bytes; the caller closes it. Raises Missing."""
        return await self._call("open", lambda: self._store.open(path), undo=os.close)

    def open_at_once(self, path: str) -> int | None:
        """Return a descriptor as `open` does, in the caller's thread; None if it may take a while.

        The caller closes it. A thread for a file that is in memory costs more than the file.
        """
        started = time.perf_counter()
        descriptor = self._store.open_at_once(path)
        if descriptor is not None:
            self._count("open", started)
        return descriptor

    async def forget(self, path: str) -> None:
        """Remove this host's copy of an object, if there is one."""
        await self._call("forget", lambda: self._store.forget(path))

    async def size(self, path: str) -> int | None:
        """Return the number of bytes at a path; None if there are none."""
        return await self._call("size", lambda: self._store.size(path))

    async def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; one that is not there is no error."""
        await self._call("delete", lambda: self._store.delete(paths))

    def list(self, prefix: str = "") -> AsyncGenerator[Sequence[StoredObject], None]:
        """Yield the objects below a folder in pages of about 1,000."""
        return self._iterate("list", self._store.list(prefix))

    async def remove_unfinished(self, *, older: float) -> int:
        """Delete what writers that died have left; see `Store.remove_unfinished`."""
        return await self._call(
            "remove_unfinished", lambda: self._store.remove_unfinished(older=older)
        )

    async def free(self) -> int | None:
        """Return the bytes that still fit; None if nobody knows."""
        return await self._call("free", self._store.free)

    async def check(self) -> None:
        """Return if the store answers."""
        await self._call("check", self._store.check)

    async def _call(
        self,
        operation: str,
        call: Callable[[], _Result],
        *,
        undo: Callable[[_Result], None] | None = None,
    ) -> _Result:
        """Make a call in a thread; `undo` gets the result of one whose caller was cancelled."""
        started = time.perf_counter()
        future = self._threads.submit(call)
        try:
            result = await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if undo is not None:
                future.add_done_callback(lambda done: _undo(done, undo))
            raise
        except Exception as exc:
            self._count(operation, started, exc)
            raise
        self._count(operation, started)
        return result

    async def _iterate(
        self, operation: str, pieces: Generator[_Result, None, None]
    ) -> AsyncGenerator[_Result, None]:
        """Yield what `pieces` yields, each from a thread; count the time that they took."""
        waited, step = 0.0, None
        try:
            while True:
                started = time.perf_counter()
                step = self._threads.submit(next, pieces, None)
                piece = await asyncio.wrap_future(step)
                waited += time.perf_counter() - started
                if piece is None:
                    break
                yield piece
        except (asyncio.CancelledError, GeneratorExit):
            # Only after the thread is done with the generator, and in a thread: it blocks.
            if step is not None:
                step.add_done_callback(lambda _: self._close(pieces))
            raise
        except Exception as exc:
            self._count(operation, started, exc)
            raise
        self._count(operation, time.perf_counter() - waited)

    def _close(self, pieces: Generator[object, None, None]) -> None:
        try:
            self._threads.submit(pieces.close)
        except RuntimeError:  # stopped
            pieces.close()

    def _count(self, operation: str, started: float, exc: Exception | None = None) -> None:
        match exc:
            case None:
                outcome = "ok"
                self._health.worked(wrote=operation == "put")
            case Missing():
                outcome = "missing"
                self._health.worked(wrote=False)
            case StoreFull():
                outcome = "full"
                self._health.failed(exc)
            case Unavailable():
                outcome = "unavailable"
                self._health.failed(exc)
            case _:
                outcome = "error"
        self._metrics.observe_store(operation, outcome, time.perf_counter() - started)

    async def _run_checks(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                await self._look()
            except Exception as exc:
                log.error("checking the store failed", exc_info=exc)

    async def _look(self) -> None:
        """Check the store, and note what is found."""
        check = asyncio.get_running_loop().run_in_executor(self._checks, self._check_now)
        try:
            free = await asyncio.wait_for(check, _CHECK_TIMEOUT)
        except TimeoutError:
            hangs = f"The store has not answered for {_CHECK_TIMEOUT:.0f} seconds."
            self._health.failed(Unavailable(hangs, retry_after=RETRY_AFTER))
        except ServiceError as exc:
            self._health.failed(exc)
        else:
            self._health.checked(free)

    def _check_now(self) -> int | None:
        self._store.check()
        return self._store.free()


def _undo(done: Future[_Result], undo: Callable[[_Result], None]) -> None:
    if not done.cancelled() and done.exception() is None:
        with suppress(OSError):
            undo(done.result())
