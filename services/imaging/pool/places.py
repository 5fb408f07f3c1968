"""The places of a pool: one process in each, replaced when it is lost or worn out.

A lost process is replaced at once. A process that has grown or has done many calls is worn out: its
successor is started beside it, and takes the place between two calls.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from services.imaging.pool.messages import Call
from services.imaging.pool.process import PoolProcess, ProcessDied
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_RETRY_DELAY = 1.0  # seconds from a failed start of a process to the next attempt
_PATIENCE = 0.5  # seconds for a call that nobody waits for: as much CPU as another process's start


@dataclass(frozen=True)
class Wear:
    """The limits above which a process is replaced between two calls."""

    resident: int  # MiB of memory that it holds
    calls: int

    def reached_by(self, process: PoolProcess) -> bool:
        """Return whether the process is worn out."""
        return process.resident > self.resident or process.calls >= self.calls


@dataclass(eq=False)
class Place:
    """A place for one process. It has none while the successor of a lost one starts."""

    process: PoolProcess | None = None
    starting: asyncio.Task[PoolProcess] | None = None
    successor: PoolProcess | None = None
    """A process that waits for the end of the current one's call."""
    taken: bool = False
    left: asyncio.Task[None] | None = None
    """Waits for the end of a call whose caller has left."""
    source: str = ""
    """The key of the image that its last call left in the memory of its process; empty for none."""


class Places:
    """`size` places, each taken by one caller at a time."""

    def __init__(self, size: int, start: Callable[[], Awaitable[PoolProcess]], wear: Wear) -> None:
        self._start_process = start
        self._wear = wear
        self._places = [Place() for _ in range(size)]
        self._free: list[Place] = []
        self._number_free = asyncio.Semaphore(0)
        self._ending: set[asyncio.Task[str]] = set()
        self.stopped = False
        """True from when `stop` was called."""

    @property
    def processes(self) -> list[PoolProcess]:
        """Return the processes that have a place."""
        return [place.process for place in self._places if place.process is not None]

    async def start(self) -> None:
        """Start every process, and return when all are ready. Raises as `PoolProcess.start`."""
        processes = await asyncio.gather(*(self._start_process() for _ in self._places))
        for place, process in zip(self._places, processes, strict=True):
            self._succeed(place, process)
            self._make_free(place)

    async def stop(self) -> None:
        """End every process, and start no more."""
        self.stopped = True
        for place in self._places:
            for task in (place.left, place.starting):
                if task is not None:
                    await end(task)
            for process in (place.process, place.successor):
                if process is not None:
                    self._end(process)
            place.process = place.successor = None
        await asyncio.gather(*self._ending)

    async def take(self, source: str) -> Place:
        """Wait for a place with a process, which has this source in its memory if one has it.

        The caller has to give it back.
        """
        await self._number_free.acquire()
        place = self._best(source)
        self._free.remove(place)
        place.taken = True
        try:
            await self.wait_for_process(place)
        except BaseException:
            self.give_back(place, "")
            raise
        return place

    def _best(self, source: str) -> Place:
        """Return the last used of the free places: with the source, with a process, or of all."""
        running = [one for one in self._free if one.process]
        warm = [one for one in running if one.source == source]
        return (warm or running or self._free)[-1]

    def give_back(self, place: Place, source: str) -> None:
        """Make a place free for the next caller, once it has a process.

        `source` is the one that a call has left there; empty if it left what was there before.
        """
        place.source = source or place.source
        if place.left is not None:
            return
        place.taken = False
        if place.successor is not None:
            self._succeed(place, place.successor)
        if place.process is None:
            return
        if place.starting is None and self._wear.reached_by(place.process):
            process = place.process
            log.info("pool process worn out", calls=process.calls, resident=process.resident)
            self._start(place)
        self._make_free(place)

    def leave(self, place: Place, call: Call[Any]) -> None:
        """Keep a place taken until its process ends a call that nobody waits for any more.

        A process that takes long for it is lost: another one takes 0.5 s of CPU to start.
        """
        if self.stopped:
            return
        place.left = asyncio.create_task(self._await_end(place, call), name="pool-call-left")

    async def _await_end(self, place: Place, call: Call[Any]) -> None:
        assert place.process is not None
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = await place.process.rest(call)
            lost = answer.exhausted
        except (TimeoutError, ProcessDied):
            lost = True
        if lost:
            self.lose(place)
        place.left = None
        self.give_back(place, "")

    def lose(self, place: Place) -> None:
        """Kill the process of a place, and start another one unless one is there already."""
        if place.process is not None:
            self._end(place.process)
            place.process = None
        if place.successor is not None:
            self._succeed(place, place.successor)
        elif place.starting is None and not self.stopped:
            self._start(place)

    async def wait_for_process(self, place: Place) -> None:
        """Return when a taken place has a process again; at once if it has one."""
        if place.starting is not None and place.process is None:
            await asyncio.shield(place.starting)

    def _start(self, place: Place) -> None:
        place.starting = asyncio.create_task(self._keep_starting(), name="pool-process-start")
        # Before anybody waits for the task: `wait_for_process` continues after this callback.
        place.starting.add_done_callback(partial(self._on_started, place))

    async def _keep_starting(self) -> PoolProcess:
        while True:
            try:
                return await self._start_process()
            except Exception as exc:
                log.error("pool process could not be started", exc_info=exc)
            await asyncio.sleep(_RETRY_DELAY)

    def _on_started(self, place: Place, task: asyncio.Task[PoolProcess]) -> None:
        place.starting = None
        if task.cancelled():
            return
        if place.taken and place.process is not None:
            place.successor = task.result()
            return
        self._succeed(place, task.result())
        if not place.taken and place not in self._free:
            self._make_free(place)

    def _succeed(self, place: Place, successor: PoolProcess) -> None:
        if place.process is not None:
            self._end(place.process)
        place.process, place.successor, place.source = successor, None, ""
        successor.on_end = partial(self._on_end, place, successor)

    def _on_end(self, place: Place, process: PoolProcess) -> None:
        """Replace a process that ended between two calls; the caller notices it during one."""
        if place.process is process and not place.taken:
            log.warning("pool process died between two calls")
            self.lose(place)

    def _make_free(self, place: Place) -> None:
        self._free.append(place)
        self._number_free.release()

    def _end(self, process: PoolProcess) -> None:
        process.on_end = None
        process.kill()
        task = asyncio.create_task(process.death(), name="pool-process-end")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
