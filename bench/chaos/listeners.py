"""Listeners to job events: on the stream in Redis, over a WebSocket, over Server-Sent Events.

Each records every event it receives in an EventLog. When its connection is lost it reconnects and
resumes after the last event recorded, however often that happens.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
from redis.exceptions import RedisError
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from bench.chaos.event_log import EventLog
from contracts.jobs import EVENTS, JobEvent
from services.runtime.jobs.records import event_from
from services.runtime.tasks import end

RECONNECT_AFTER = 0.05  # seconds


@asynccontextmanager
async def stream_listener(redis: Any) -> AsyncIterator[EventLog]:
    """Read the event stream in Redis from its beginning."""
    async with _listening(partial(_read_stream, redis)) as log:
        yield log


@asynccontextmanager
async def websocket_listener(url: str, jobs: Collection[str]) -> AsyncIterator[EventLog]:
    """Subscribe to all the jobs over a WebSocket to the gateway at `url`."""
    async with _listening(partial(_read_websocket, url, jobs)) as log:
        yield log


@asynccontextmanager
async def sse_listener(url: str, job: str) -> AsyncIterator[EventLog]:
    """Read one job's Server-Sent Events from the gateway at `url` until a 204 ends them."""
    async with _listening(partial(_read_sse, url, job)) as log:
        yield log


@asynccontextmanager
async def _listening(
    listen: Callable[[EventLog], Coroutine[None, None, None]],
) -> AsyncIterator[EventLog]:
    log = EventLog()
    task = asyncio.create_task(listen(log))
    try:
        yield log
    finally:
        # One cancellation may not be enough: redis-py can swallow it.
        await end(task)


async def _read_stream(redis: Any, log: EventLog) -> None:
    while True:
        try:
            read = await redis.xread({EVENTS: log.last}, block=200)
        except (RedisError, OSError):
            await asyncio.sleep(RECONNECT_AFTER)
            continue
        for _, entries in read or ():
            for entry, fields in entries:
                log.record(event_from(entry, fields))


async def _read_websocket(url: str, jobs: Collection[str], log: EventLog) -> None:
    address = url.replace("http", "ws", 1) + "/v1/live"
    while True:
        try:
            async with connect(address, proxy=None, max_queue=None) as socket:
                log.connections += 1
                await socket.send(json.dumps({"watch": list(jobs), "after": log.last}))
                async for text in socket:
                    log.record(JobEvent.model_validate_json(text))
        except (WebSocketException, OSError, TimeoutError):
            await asyncio.sleep(RECONNECT_AFTER)


async def _read_sse(url: str, job: str, log: EventLog) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        while True:
            try:
                if await _read_sse_once(log, http, job):
                    return
            except httpx.TransportError:
                await asyncio.sleep(RECONNECT_AFTER)


async def _read_sse_once(log: EventLog, http: httpx.AsyncClient, job: str) -> bool:
    """Read one response to its end; return whether the gateway answered 204: no more events."""
    headers = {"Last-Event-ID": log.last}
    async with http.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as answer:
        log.connections += 1
        if answer.status_code == 204:
            return True
        async for line in answer.aiter_lines():
            if line.startswith("event: dropped"):
                return False  # it has to connect again, and resume
            if line.startswith("data: "):
                log.record(JobEvent.model_validate_json(line.removeprefix("data: ")))
    return False
