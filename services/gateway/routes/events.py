"""A job's events as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

An event's id is its place among all, so `Last-Event-ID` resumes with neither gap nor repeat. After
the event that ends the job the stream ends; a client that comes again then is told to stop (204).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import TypeAdapter, ValidationError
from starlette.types import Message, Receive, Scope, Send

from contracts.jobs import OPEN_STATES, EventId
from services.gateway.dependencies import Collaborators, Here
from services.gateway.http.openapi import PROBLEMS
from services.gateway.jobs.submission import JobIdHere
from services.gateway.live.subscription import place_of
from services.runtime.tasks import end

router = APIRouter(tags=["later"], responses=PROBLEMS)

_EVENT_ID: TypeAdapter[str] = TypeAdapter(EventId)


@router.get(
    "/v1/jobs/{job_id}/events",
    responses={
        200: {"description": "JobEvents.", "content": {"text/event-stream": {}}},
        204: {"description": "The job has ended, and all of it was told."},
    },
)
async def events(
    job_id: JobIdHere, here: Here, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """How a job stands, or all that came after `Last-Event-ID`; then every change until its end."""
    job = await here.jobs.find(job_id)
    after = _resumed(last_event_id)
    if job.state not in OPEN_STATES and after and place_of(after) >= place_of(job.event):
        return Response(status_code=204)
    return EventStream(_told(job_id, after, here), patience=here.settings.body_patience)


class EventStream(StreamingResponse):
    """A stream whose reader has so many seconds to take in each event, or is given up."""

    def __init__(self, events: AsyncIterator[bytes], *, patience: float) -> None:
        super().__init__(
            events,
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. A reader that is given up sees its connection cut, and resumes."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._patience):
                await send(message)

        with suppress(TimeoutError):
            await super().__call__(scope, receive, send_in_time)


async def _told(job_id: str, after: str | None, here: Collaborators) -> AsyncIterator[bytes]:
    with here.live.watching() as watcher:
        catching_up = asyncio.create_task(here.live.watch(watcher, job_id, after=after))
        given_up = asyncio.create_task(_first_of(watcher.too_slow.wait, here.closing.wait))
        coming = asyncio.create_task(watcher.next())
        try:
            while not given_up.done():
                waited_for = {coming, given_up, *([] if catching_up.done() else [catching_up])}
                await asyncio.wait(
                    waited_for,
                    timeout=here.settings.keep_alive,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if catching_up.done():
                    catching_up.result()
                if coming.done():
                    event = coming.result()
                    yield format_sse_event(
                        data_str=event.model_dump_json(), event="job", id=event.id
                    )
                    if event.state not in OPEN_STATES:
                        return
                    coming = asyncio.create_task(watcher.next())
                elif catching_up.done() and not given_up.done():
                    yield KEEPALIVE_COMMENT
        finally:
            await asyncio.gather(*(end(task) for task in (catching_up, given_up, coming)))
        yield format_sse_event(data_str="Connect again and resume.", event="dropped")


async def _first_of(*waits: Callable[[], Awaitable[object]]) -> None:
    tasks = [asyncio.ensure_future(wait()) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _resumed(last_event_id: str | None) -> str | None:
    """The id to resume after; one that we never gave is as good as none."""
    try:
        return _EVENT_ID.validate_python(last_event_id)
    except ValidationError:
        return None
