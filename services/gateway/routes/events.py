"""A job's events as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

An event's id is its place in the stream of all events, so a client that sends `Last-Event-ID`
receives every later event once. The response ends after the event that ends the job. A client that
reconnects then receives 204, which makes it stop.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import TypeAdapter, ValidationError
from starlette.types import Message, Receive, Scope, Send

from contracts.errors import Code
from contracts.jobs import OPEN_STATES, EventId
from services.gateway.access.caller import caller_of
from services.gateway.dependencies import Dependencies, Injected
from services.gateway.http.openapi import REQUEST_HEADERS, answer, problems
from services.gateway.live.subscription import Subscription, position_of
from services.gateway.middleware.head import is_head
from services.gateway.routes.parameters import JobIdPath

router = APIRouter(tags=["jobs"])

_EVENT_ID: TypeAdapter[str] = TypeAdapter(EventId)


@router.get(
    "/v1/jobs/{job_id}/events",
    summary="Stream the events of a job",
    response_class=Response,
    responses={
        200: answer(
            "Events whose `data` is a JobEvent, until the job has ended.",
            content={"text/event-stream": {}},
        ),
        204: answer("The job has ended, and the client has received all of its events."),
        **problems(Code.NOT_FOUND, Code.GONE, Code.OVERLOADED),
    },
)
async def events(
    job_id: JobIdPath,
    request: Request,
    deps: Injected,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description=REQUEST_HEADERS["Last-Event-ID"])
    ] = None,
) -> Response:
    """Stream the events of a job as Server-Sent Events, until the job has ended.

    The stream begins with the job's last event or, after `Last-Event-ID`, with every later event.
    """
    project = caller_of(request.scope).project
    job = await deps.jobs.find(project, job_id)
    after = _valid_id(last_event_id)
    if job.state not in OPEN_STATES and after and position_of(after) >= position_of(job.event):
        return Response(status_code=204)
    if is_head(request.scope):
        return _streamed(())
    return EventStream(project, job_id, after, deps)


class EventStream(Response):
    """The stream of a job's events, which ends when the client takes too long for one.

    Raises Overloaded, before it starts, for too many clients or watched jobs.
    """

    def __init__(self, project: str, job_id: str, after: str | None, deps: Dependencies) -> None:
        super().__init__()
        self._project = project
        self._job_id = job_id
        self._after = after
        self._deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; a client that is too slow sees its connection close, and resumes."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._deps.settings.body_patience):
                await send(message)

        with self._deps.live.client(self._project) as subscription:
            await self._deps.live.watch(subscription, self._job_id, after=self._after)
            with suppress(TimeoutError):
                stream = _streamed(_events(subscription, self._deps))
                await stream(scope, receive, send_in_time)


def _streamed(events: AsyncIterable[bytes] | Iterable[bytes]) -> StreamingResponse:
    return StreamingResponse(
        events,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(subscription: Subscription, deps: Dependencies) -> AsyncIterator[bytes]:
    """Yield events in their SSE form, and comments while there are none.

    The last one is the job's end, or `dropped` when the client is too slow or the process stops.
    """
    stop = asyncio.create_task(_first_of(subscription.dropped.wait, deps.shutdown.wait))
    coming = asyncio.create_task(subscription.next())
    try:
        while not stop.done():
            await asyncio.wait(
                (coming, stop),
                timeout=deps.settings.keep_alive,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if coming.done():
                event = coming.result()
                yield format_sse_event(data_str=event.model_dump_json(), event="job", id=event.id)
                if event.state not in OPEN_STATES:
                    return
                coming = asyncio.create_task(subscription.next())
            elif not stop.done():
                yield KEEPALIVE_COMMENT
    finally:
        # Without a wait: one in a request that is cancelled ends before it has begun.
        stop.cancel()
        coming.cancel()
    yield format_sse_event(data_str="Connect again and resume.", event="dropped")


async def _first_of(*waits: Callable[[], Awaitable[object]]) -> None:
    """Return when the first of several coroutines returns or raises; cancel the others.

    An exception is not raised here; the cancelled coroutines may still run for a moment.
    """
    tasks = [asyncio.ensure_future(wait()) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _valid_id(last_event_id: str | None) -> str | None:
    """Return a well-formed event id; None for any other text, as if the header were missing."""
    try:
        return _EVENT_ID.validate_python(last_event_id)
    except ValidationError:
        return None
