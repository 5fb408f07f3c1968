"""Who listens: to the events' stream in Redis, to a WebSocket, to Server-Sent Events.

Each notes every event that it is told, however often its other side dies, and goes on after the
last one. What is told twice is noted twice.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, KeysView
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
from redis.exceptions import RedisError
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from contracts.jobs import EVENTS, OPEN_STATES, EventId, JobEvent, JobState
from services.gateway.live.subscription import position_of
from services.runtime.jobs.records import event_from
from services.runtime.tasks import end

BEGINNING = "0-0"
AGAIN = 0.05  # seconds until the next try to reach what was killed


class Log:
    """What one listener was told, in the order in which it was."""

    def __init__(self) -> None:
        self.events: list[JobEvent] = []
        self.connections = 0
        self._ends: defaultdict[str, list[JobState]] = defaultdict(list)
        self._ended_at = 0.0
        self._changed = asyncio.Event()

    def note(self, event: JobEvent) -> None:
        """Keep an event."""
        self.events.append(event)
        if event.state not in OPEN_STATES:
            self._ends[event.job].append(event.state)
            self._ended_at = time.monotonic()
        self._changed.set()

    @property
    def jobs(self) -> set[str]:
        """Those that were told of."""
        return {event.job for event in self.events}

    @property
    def last(self) -> EventId:
        """Where to go on."""
        return self.events[-1].id or BEGINNING if self.events else BEGINNING

    def ended(self) -> KeysView[str]:
        """The jobs whose end was told."""
        return self._ends.keys()

    def ids(self, job: str) -> list[str | None]:
        """What was told of one job."""
        return [event.id for event in self.events if event.job == job]

    async def until_ended(self, jobs: Collection[str], *, seconds: float) -> None:
        """Return once the end of all of them was told. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not set(jobs) <= self.ended():
                self._changed.clear()
                await self._changed.wait()

    def assert_once(self, jobs: Collection[str], state: JobState = JobState.SUCCEEDED) -> None:
        """Raise unless each of the jobs ended once, in `state`."""
        wrong = {job: self._ends.get(job) for job in jobs if self._ends.get(job) != [state]}
        assert not wrong, f"not one end, {state}: {wrong}"

    def took(self, started: float) -> float:
        """Seconds from then, by the monotonic clock, to the last end that was told."""
        return self._ended_at - started

    def longest_stall(self) -> float:
        """The most seconds in which no job ended although some were open; by Redis's clock."""
        stalls, open_jobs, since = [0.0], set[str](), 0.0
        for event in self.events:
            now = position_of(event.id)[0] / 1000
            if event.state in OPEN_STATES:
                since = since if open_jobs else now
                open_jobs.add(event.job)
            elif event.job in open_jobs:
                stalls.append(now - since)
                open_jobs.discard(event.job)
                since = now
        return max(stalls)


@asynccontextmanager
async def hearing(redis: Any) -> AsyncIterator[Log]:
    """The events' stream itself, from its beginning."""
    async with _listening(partial(_read_stream, redis)) as log:
        yield log


@asynccontextmanager
async def watching(url: str, jobs: Collection[str]) -> AsyncIterator[Log]:
    """A WebSocket at the gateway `url`, for all of the jobs."""
    async with _listening(partial(_watch, url, jobs)) as log:
        yield log


@asynccontextmanager
async def following(url: str, job: str) -> AsyncIterator[Log]:
    """The Server-Sent Events of one job, until the gateway says that there is no more."""
    async with _listening(partial(_follow, url, job)) as log:
        yield log


@asynccontextmanager
async def _listening(listen: Callable[[Log], Coroutine[None, None, None]]) -> AsyncIterator[Log]:
    log = Log()
    task = asyncio.create_task(listen(log))
    try:
        yield log
    finally:
        # redis-py may lose a cancellation.
        await end(task)


async def _read_stream(redis: Any, log: Log) -> None:
    while True:
        try:
            read = await redis.xread({EVENTS: log.last}, block=200)
        except (RedisError, OSError):
            await asyncio.sleep(AGAIN)
            continue
        for _, entries in read or ():
            for entry, fields in entries:
                log.note(event_from(entry, fields))


async def _watch(url: str, jobs: Collection[str], log: Log) -> None:
    address = url.replace("http", "ws", 1) + "/v1/live"
    while True:
        try:
            async with connect(address, proxy=None, max_queue=None) as socket:
                log.connections += 1
                await socket.send(json.dumps({"watch": list(jobs), "after": log.last}))
                async for text in socket:
                    log.note(JobEvent.model_validate_json(text))
        except (WebSocketException, OSError, TimeoutError):
            await asyncio.sleep(AGAIN)


async def _follow(url: str, job: str, log: Log) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        while True:
            try:
                if await _told_all(log, http, job):
                    return
            except httpx.TransportError:
                await asyncio.sleep(AGAIN)


async def _told_all(log: Log, http: httpx.AsyncClient, job: str) -> bool:
    headers = {"Last-Event-ID": log.last}
    async with http.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as answer:
        log.connections += 1
        if answer.status_code == 204:
            return True
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                log.note(JobEvent.model_validate_json(line.removeprefix("data: ")))
    return False
