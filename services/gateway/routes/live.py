"""WS /v1/live: the events of many jobs over one WebSocket, pushed as they happen."""

import asyncio
from typing import Annotated

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ConfigDict, Field, ValidationError

from contracts import examples
from contracts.errors import Unavailable
from contracts.jobs import EventId, JobId
from contracts.message import Message
from services.gateway.dependencies import Injected
from services.gateway.live.hub import LiveHub
from services.gateway.live.subscription import Subscription
from services.runtime.redis.client import redis_errors

log = structlog.get_logger(__name__)

router = APIRouter()

POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013  # RFC 6455 and the IANA registry


class WatchRequest(Message):
    """A message from the client: the jobs whose events it wants from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"watch": [examples.JOB_ID]}]})

    watch: Annotated[tuple[JobId, ...], Field(max_length=1000, description="Ids of jobs.")]
    after: Annotated[
        EventId | None,
        Field(
            description="Resume: send only the events later than this id, the last one that the "
            "client received. After several watch messages on one connection, resume each with the "
            "last id of its own jobs."
        ),
    ] = None


@router.websocket("/v1/live")
async def live(socket: WebSocket, deps: Injected) -> None:
    """Send a WatchRequest; receive a JobEvent for each of its jobs now, and at every change."""
    await socket.accept()
    await serve(socket, deps.live, max_watched=deps.settings.max_watched)


async def serve(socket: WebSocket, hub: LiveHub, *, max_watched: int) -> None:
    """Serve one connection until either side closes it.

    Closes it with 1008 for a malformed message and for more than `max_watched` jobs, and with 1013
    when the client is too slow or Redis is down.
    """
    with hub.subscription() as subscription:
        tasks = [
            asyncio.create_task(_receive(socket, hub, subscription, max_watched)),
            asyncio.create_task(_send(socket, subscription)),
            asyncio.create_task(subscription.dropped.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if subscription.dropped.is_set():
                await socket.close(TRY_AGAIN_LATER, "You are behind; connect again and resume.")
        except WebSocketDisconnect:
            pass
        except Unavailable as exc:
            log.warning("redis failed", path=socket.url.path, reason=str(exc.__cause__))
            await socket.close(TRY_AGAIN_LATER, "The store does not answer; connect again.")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _receive(
    socket: WebSocket, hub: LiveHub, subscription: Subscription, max_watched: int
) -> None:
    while True:
        try:
            request = WatchRequest.model_validate_json(await _receive_text(socket))
        except ValidationError:
            await socket.close(POLICY_VIOLATION, 'Send {"watch": [job ids]}, 1000 at a time.')
            return
        if len(subscription.jobs.union(request.watch)) > max_watched:
            await socket.close(POLICY_VIOLATION, "Too many jobs for one connection.")
            return
        with redis_errors():
            await hub.watch(subscription, *request.watch, after=request.after)


async def _send(socket: WebSocket, subscription: Subscription) -> None:
    while True:
        event = await subscription.next()
        await socket.send_text(event.model_dump_json())


async def _receive_text(socket: WebSocket) -> str:
    """Return the next message; empty text, which is no valid message, for one of bytes."""
    try:
        return await socket.receive_text()
    except KeyError:
        return ""
