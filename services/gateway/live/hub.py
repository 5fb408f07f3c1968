"""Job events, pushed the moment they happen.

One reader per process follows the events' stream and tells the watchers of each job. A watcher is
there first and what was before is read then, so that a job which ended a moment ago is still told,
and one that resumes after an event gets every later one once. Who does not keep up is dropped with
a reason, never buffered without bound.

The stream's reader goes on after a lost connection from the last event it had. What the stream no
longer held by then is heard by watching again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field, ValidationError
from redis.exceptions import RedisError

from contracts.errors import NotFound
from contracts.jobs import OPEN_STATES, EventId, JobEvent, JobId, JobState
from contracts.message import Message
from services.gateway.live.subscription import Watcher, place_of
from services.gateway.settings import GatewaySettings
from services.runtime.jobs.store import Jobs

log = structlog.get_logger(__name__)

router = APIRouter()

POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013  # RFC 6455 and the IANA registry


class Watch(Message):
    """What a client sends: the jobs it wants to hear of from now on."""

    watch: Annotated[tuple[JobId, ...], Field(max_length=1000)]
    after: Annotated[
        EventId | None,
        Field(
            description="Resume: only what came after the event with this id. It was the last of "
            "all that this connection's one watch told; with several, resume each by its own."
        ),
    ] = None


class LiveHub:
    """The watchers of this process, by the jobs that they watch."""

    def __init__(self, jobs: Jobs, settings: GatewaySettings) -> None:
        self._jobs = jobs
        self._settings = settings
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)

    def tell(self, event: JobEvent) -> None:
        """Pass an event on to everyone who watches its job."""
        for watcher in self._watchers.get(event.job, ()):
            watcher.tell(event)

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        """A watcher that watches nothing yet: see `watch`; forgotten at the end."""
        watcher = Watcher(self._settings.max_backlog)
        try:
            yield watcher
        finally:
            for job in watcher.jobs:
                self._watchers[job].discard(watcher)
                if not self._watchers[job]:
                    del self._watchers[job]

    async def watch(self, watcher: Watcher, *jobs: str, after: str | None = None) -> None:
        """Tell `watcher` how jobs stand, or all that came after an event; then the rest."""
        for job in jobs:
            watcher.jobs.add(job)
            self._watchers[job].add(watcher)
        await watcher.catch_up(self._before(watcher, jobs, after))

    def missed(self) -> None:
        """Some events will never be heard here: every watcher has to come again, and resume."""
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.too_slow.set()

    async def ended(self, job: str, *, within: float) -> bool:
        """Whether a job ends within so many seconds; returns as soon as it has."""
        with self.watching() as watcher:
            # Not within the time: redis-py can lose the one cancellation that a timeout is.
            await self.watch(watcher, job)
            try:
                async with asyncio.timeout(within):
                    while (await watcher.next()).state in OPEN_STATES:
                        pass
            except TimeoutError:
                return False
        return True

    async def _before(
        self, watcher: Watcher, jobs: Sequence[str], after: str | None
    ) -> list[JobEvent]:
        told = await asyncio.gather(*(self._before_one(watcher, job, after) for job in jobs))
        return [event for events in told for event in events]

    async def _before_one(self, watcher: Watcher, job_id: str, after: str | None) -> list[JobEvent]:
        last = await self._jobs.last_event(job_id)
        if last is None:
            return [_unknown(job_id)]
        if after is None:
            return [last]
        # This process may be behind the one that told it; one that nobody told is not believed.
        if place_of(after) <= place_of(last.id):
            watcher.resume(job_id, after)
        return await self._jobs.events(job_id, after)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection until either side ends it."""
        with self.watching() as watcher:
            tasks = [
                asyncio.create_task(self._receive(socket, watcher)),
                asyncio.create_task(_send(socket, watcher)),
                asyncio.create_task(watcher.too_slow.wait()),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                if watcher.too_slow.is_set():
                    await socket.close(TRY_AGAIN_LATER, "You are behind; connect again and resume.")
            except WebSocketDisconnect:
                pass
            except RedisError as exc:
                log.warning("redis failed", path=socket.url.path, reason=str(exc))
                await socket.close(TRY_AGAIN_LATER, "The store does not answer; connect again.")
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self, socket: WebSocket, watcher: Watcher) -> None:
        while True:
            try:
                asked = Watch.model_validate_json(await _text_from(socket))
            except ValidationError:
                await socket.close(POLICY_VIOLATION, 'Send {"watch": [job ids]}, 1000 at a time.')
                return
            if len(watcher.jobs.union(asked.watch)) > self._settings.max_watched:
                await socket.close(POLICY_VIOLATION, "Too many jobs for one connection.")
                return
            await self.watch(watcher, *asked.watch, after=asked.after)


def _unknown(job_id: str) -> JobEvent:
    unknown = NotFound("There is no job with this id; its record may have expired.")
    return JobEvent(
        job=job_id,
        state=JobState.FAILED,
        done=0,
        total=1,
        at=datetime.now(UTC),
        problem=unknown.failure(),
    )


async def _send(socket: WebSocket, watcher: Watcher) -> None:
    while True:
        event = await watcher.next()
        await socket.send_text(event.model_dump_json())


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
