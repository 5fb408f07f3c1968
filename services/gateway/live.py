"""Job events, pushed over WebSockets the moment they happen.

One reader per process follows the events' stream and tells the connections that watch a job. A
connection subscribes first and looks at the record then, so that a job which ended a moment before
is still told. What was read a moment too late is told apart by how far the job had come, so no
connection hears of a job going backwards. One that does not keep up is dropped with a reason, never
buffered without bound.

The reader goes on after a lost connection from the last event it had. What the stream no longer
held by then is heard by watching again, which is always answered with the present state.
"""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field, ValidationError
from redis.exceptions import RedisError

from contracts.errors import NotFound
from contracts.jobs import OPEN_STATES, JobEvent, JobId, JobState
from contracts.message import Message
from services.gateway.settings import GatewaySettings
from services.runtime.jobs import Jobs, event_of

log = structlog.get_logger(__name__)

router = APIRouter()

POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013  # RFC 6455 and the IANA registry


class Watch(Message):
    """What a client sends: the jobs it wants to hear of from now on."""

    watch: Annotated[tuple[JobId, ...], Field(max_length=1000)]


class Watcher:
    """One connection: what it watches, and what it has not been sent yet."""

    def __init__(self, backlog: int) -> None:
        self.jobs: set[str] = set()
        self.too_slow = asyncio.Event()
        self._events: asyncio.Queue[JobEvent] = asyncio.Queue(backlog)
        self._room = asyncio.Event()
        self._latest: dict[str, JobEvent] = {}

    def tell(self, event: JobEvent) -> None:
        """Queue an event if it is news, or give the reader up."""
        known = self._latest.get(event.job)
        if known is not None and _progress(event) <= _progress(known):
            return
        self._latest[event.job] = event
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            self.too_slow.set()

    def latest(self, job: str) -> JobEvent | None:
        """What was queued last about a job."""
        return self._latest.get(job)

    async def answer(self, present: JobEvent, before: JobEvent | None) -> None:
        """Queue how a job stands, news or not, once there is room.

        What came after `before`, while the record was read, has answered already.
        """
        while self._events.full():
            self._room.clear()
            await self._room.wait()
        known = self._latest.get(present.job)
        if known is not before:
            return
        newest = present if known is None else max(present, known, key=_progress)
        self._latest[present.job] = newest
        self._events.put_nowait(newest)

    async def next(self) -> JobEvent:
        """What is to be sent next."""
        event = await self._events.get()
        self._room.set()
        return event


class Live:
    """The connections of this process, by the jobs that they watch."""

    def __init__(self, jobs: Jobs, settings: GatewaySettings) -> None:
        self._jobs = jobs
        self._settings = settings
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)

    def tell(self, event: JobEvent) -> None:
        """Pass an event on to everyone who watches its job."""
        for watcher in self._watchers.get(event.job, ()):
            watcher.tell(event)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection until either side ends it."""
        watcher = Watcher(self._settings.max_backlog)
        tasks = [
            asyncio.create_task(self._receive(socket, watcher)),
            asyncio.create_task(self._send(socket, watcher)),
            asyncio.create_task(watcher.too_slow.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if watcher.too_slow.is_set():
                await socket.close(TRY_AGAIN_LATER, "You read too slowly; connect again.")
        except WebSocketDisconnect:
            pass
        except ValidationError:
            await socket.close(POLICY_VIOLATION, 'Send {"watch": [job ids]}, 1000 at a time.')
        except RedisError as exc:
            log.warning("redis failed", path=socket.url.path, reason=str(exc))
            await socket.close(TRY_AGAIN_LATER, "The store does not answer; connect again.")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._forget(watcher)

    async def _receive(self, socket: WebSocket, watcher: Watcher) -> None:
        while True:
            asked = Watch.model_validate_json(await _text_from(socket))
            if len(watcher.jobs.union(asked.watch)) > self._settings.max_watched:
                await socket.close(POLICY_VIOLATION, "Too many jobs for one connection.")
                return
            for job in asked.watch:
                watcher.jobs.add(job)
                self._watchers[job].add(watcher)
                before = watcher.latest(job)
                await watcher.answer(await self._present(job), before)

    async def _present(self, job_id: str) -> JobEvent:
        job = await self._jobs.get(job_id)
        if job is not None:
            return event_of(job)
        unknown = NotFound("There is no job with this id; its record may have expired.")
        return JobEvent(
            job=job_id,
            state=JobState.FAILED,
            done=0,
            total=1,
            at=datetime.now(UTC),
            problem=unknown.failure(),
        )

    @staticmethod
    async def _send(socket: WebSocket, watcher: Watcher) -> None:
        while True:
            event = await watcher.next()
            await socket.send_text(event.model_dump_json())

    def _forget(self, watcher: Watcher) -> None:
        for job in watcher.jobs:
            self._watchers[job].discard(watcher)
            if not self._watchers[job]:
                del self._watchers[job]


def _progress(event: JobEvent) -> tuple[bool, bool, int]:
    """How far a job had come. One that a stopping worker gives back is heard of when it gets on."""
    return event.state not in OPEN_STATES, event.state is not JobState.QUEUED, event.done


async def _text_from(socket: WebSocket) -> str:
    """The next message; one of bytes is empty text, which means nothing to anybody."""
    try:
        return await socket.receive_text()
    except KeyError:
        return ""


@router.websocket("/v1/live")
async def live(socket: WebSocket) -> None:
    """Hear of jobs: send `{"watch": [id, ...]}`, get a JobEvent now and at each change."""
    await socket.accept()
    await socket.app.state.collaborators.live.serve(socket)
