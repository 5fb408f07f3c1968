"""WS /v1/live: the events of many jobs over one WebSocket, pushed as they happen."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ConfigDict, Field, ValidationError

from contracts import examples
from contracts.errors import Overloaded, Unavailable
from contracts.jobs import EventId, JobId
from contracts.message import Message
from services.gateway.access.caller import caller_of
from services.gateway.dependencies import Injected
from services.gateway.live.hub import LiveHub
from services.gateway.live.subscription import Subscription
from services.gateway.server.websocket import TEXTS
from services.gateway.settings import GatewaySettings
from services.runtime.messaging.envelope import json_of
from services.runtime.redis.client import redis_errors

log = structlog.get_logger(__name__)

router = APIRouter()

POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013  # RFC 6455 and the IANA registry

_CLOSING = 5.0  # seconds
_FEW = 16  # events that are sent together, in less than a millisecond


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
    await serve(socket, deps.live, deps.settings, caller_of(socket.scope).project)


async def serve(socket: WebSocket, hub: LiveHub, settings: GatewaySettings, project: str) -> None:
    """Serve one connection of a project's client until either side closes it.

    Closes it with 1008 for a malformed message, for more than `max_watched` jobs, and after
    `live_idle` seconds without any. Closes it with 1013 when the client is too slow, when there are
    too many clients or watched jobs, and when Redis is down.
    """
    try:
        with hub.client(project) as subscription:
            code, reason = await _exchange(socket, hub, subscription, settings)
    except WebSocketDisconnect:
        return
    except Overloaded as exc:
        code, reason = TRY_AGAIN_LATER, f"{exc.detail} Connect again later."
    except Unavailable as exc:
        log.warning("redis failed", path=socket.url.path, reason=str(exc.__cause__))
        code, reason = TRY_AGAIN_LATER, "Redis does not answer; connect again."
    # A client that reads nothing gets no reason, either.
    with suppress(WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(_CLOSING):
            await socket.close(code, reason)


async def _exchange(
    socket: WebSocket, hub: LiveHub, subscription: Subscription, settings: GatewaySettings
) -> tuple[int, str]:
    """Receive and send until there is a reason to close the connection; return code and reason."""
    receiving = asyncio.create_task(_receive(socket, hub, subscription, settings))
    tasks: list[asyncio.Task[Any]] = [
        receiving,
        asyncio.create_task(_send(socket, subscription)),
        asyncio.create_task(subscription.dropped.wait()),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if receiving in done:
            return POLICY_VIOLATION, receiving.result()
        return TRY_AGAIN_LATER, "You are behind; connect again and resume."
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _receive(
    socket: WebSocket, hub: LiveHub, subscription: Subscription, settings: GatewaySettings
) -> str:
    """Watch the jobs that the client sends; return what was wrong with its last message."""
    while True:
        try:
            if subscription.jobs:
                text = await _receive_text(socket)
            else:
                async with asyncio.timeout(settings.live_idle):
                    text = await _receive_text(socket)
            request = WatchRequest.model_validate_json(text)
        except TimeoutError:
            return "This connection watches no job."
        except ValidationError:
            return 'Send {"watch": [job ids]}, 1000 at a time.'
        new = len(subscription.unwatched(request.watch))
        if len(subscription.jobs) + new > settings.max_watched:
            return "Too many jobs for one connection."
        with redis_errors():
            await hub.watch(subscription, *request.watch, after=request.after)


async def _send(socket: WebSocket, subscription: Subscription) -> None:
    while True:
        events = await subscription.next_ones(_FEW)
        await socket.send({"type": "websocket.send", TEXTS: [*map(json_of, events)]})
        # Neither call waits while there are events and the socket takes them: behind a few of many,
        # other tasks run.
        if subscription.held:
            await asyncio.sleep(0)


async def _receive_text(socket: WebSocket) -> str:
    """Return the next message; empty text, which is no valid message, for one of bytes."""
    try:
        return await socket.receive_text()
    except KeyError:
        return ""
