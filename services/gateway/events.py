"""A job's events as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

An event's id is its place among all, so `Last-Event-ID` resumes with neither gap nor repeat. After
the event that ends the job the stream ends; a client that comes again then is told to stop (204).
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import TypeAdapter, ValidationError

from contracts.jobs import OPEN_STATES, EventId
from services.gateway.acceptance import JobIdHere
from services.gateway.dependencies import Collaborators, Here
from services.gateway.openapi import PROBLEMS
from services.gateway.watcher import place_of

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
    return StreamingResponse(
        _told(job_id, after, here),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _told(job_id: str, after: str | None, here: Collaborators) -> AsyncIterator[bytes]:
    with here.live.watching() as (watcher, watched):
        await here.live.watch(watcher, watched, job_id, after)
        while not watcher.too_slow.is_set():
            try:
                async with asyncio.timeout(here.settings.keep_alive):
                    event = await watcher.next()
            except TimeoutError:
                yield KEEPALIVE_COMMENT
                continue
            yield format_sse_event(data_str=event.model_dump_json(), event="job", id=event.id)
            if event.state not in OPEN_STATES:
                return
        yield format_sse_event(data_str="You read too slowly; connect again.", event="dropped")


def _resumed(last_event_id: str | None) -> str | None:
    """The id to resume after; one that we never gave is as good as none."""
    try:
        return _EVENT_ID.validate_python(last_event_id)
    except ValidationError:
        return None
