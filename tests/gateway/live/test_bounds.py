"""Bounds of WebSockets: slow clients, connections and jobs too many are closed with a reason."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from starlette.websockets import WebSocketDisconnect

from contracts.access.keys import DEFAULT_PROJECT
from contracts.jobs import JobEvent, JobState
from services.gateway.live.hub import LiveHub
from services.gateway.routes.live import _receive, serve
from services.gateway.server.websocket import TEXTS
from services.gateway.settings import GatewaySettings

UNKNOWN = "f" * 32


class Socket:
    """A client that sends `messages` and then reads nothing."""

    def __init__(self, *messages: str) -> None:
        self.closed: tuple[int, str] | None = None
        self.sending = asyncio.Event()
        self._messages = list(messages)

    async def receive_text(self) -> str:
        if self._messages:
            return self._messages.pop(0)
        await asyncio.Event().wait()
        raise WebSocketDisconnect

    async def send(self, message: Any) -> None:
        self.sending.set()
        await asyncio.Event().wait()

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class Records:
    """Jobs whose last event is always `queued`, at 5-0."""

    async def last_events(self, project: str, job_ids: Sequence[str]) -> dict[str, JobEvent]:
        last = event(JobState.QUEUED, 0, "5-0")
        return {job_id: last.model_copy(update={"job": job_id}) for job_id in job_ids}

    async def latest_event(self) -> str | None:
        return None


def event(state: JobState, done: int, id: str) -> JobEvent:
    now = datetime.now(UTC)
    return JobEvent(id=id, job=UNKNOWN, state=state, done=done, total=10, at=now)


def hub_on(records: Any, **settings: Any) -> LiveHub:
    return LiveHub(records, GatewaySettings(**settings))


async def serving(socket: Any, hub: LiveHub, **settings: Any) -> None:
    async with asyncio.timeout(5):
        await serve(socket, hub, GatewaySettings(**settings), DEFAULT_PROJECT)


async def test_a_client_that_is_too_slow_is_disconnected_with_a_reason() -> None:
    hub = hub_on(Records(), max_backlog=3)
    socket = Socket(json.dumps({"watch": [UNKNOWN]}))
    served = asyncio.create_task(serving(socket, hub))
    await asyncio.wait_for(socket.sending.wait(), 5)

    for done in range(10):
        hub.on_event(event(JobState.RUNNING, done, f"6-{done}"))

    await served
    assert socket.closed == (1013, "You are behind; connect again and resume.")


async def test_a_client_that_may_have_missed_an_event_is_disconnected_with_a_reason() -> None:
    hub = hub_on(Records())
    socket = Socket(json.dumps({"watch": [UNKNOWN]}))
    served = asyncio.create_task(serving(socket, hub))
    await asyncio.wait_for(socket.sending.wait(), 5)

    hub.on_gap()

    await served
    assert socket.closed == (1013, "You are behind; connect again and resume.")


async def test_a_change_while_the_last_event_is_read_is_sent_after_it() -> None:
    """The job ends while its last event, which is `queued`, is being read from Redis."""
    sent: list[str] = []
    hub: LiveHub

    class Late(Records):
        async def last_events(self, project: str, job_ids: Sequence[str]) -> dict[str, JobEvent]:
            hub.on_event(event(JobState.SUCCEEDED, 1, "6-0"))
            return await super().last_events(project, job_ids)

    class Reader(Socket):
        async def send(self, message: Any) -> None:
            sent.extend(JobEvent.model_validate_json(text).state for text in message[TEXTS])
            if len(sent) == 3:
                raise WebSocketDisconnect

    hub = hub_on(Late())
    reader = Reader(json.dumps({"watch": [UNKNOWN]}), json.dumps({"watch": [UNKNOWN]}))

    await serving(reader, hub)

    # Each watch message is answered with the last event; the new event is sent once.
    assert sent == ["queued", "succeeded", "queued"]


async def test_watching_a_job_twice_counts_as_one_job() -> None:
    repeats = [json.dumps({"watch": [UNKNOWN, "e" * 32]})] * 5
    reader = Socket(*repeats, json.dumps({"watch": ["d" * 32]}))

    await serving(reader, hub_on(Records()), max_watched=2)

    assert reader.closed == (1008, "Too many jobs for one connection.")
    assert reader._messages == []


class WatchedJobs(dict[str, Any]):
    """Watched jobs that are looked up, and never read all together."""

    def keys(self) -> Any:
        raise AssertionError("All watched jobs are read.")

    __iter__ = keys


async def test_a_further_watched_job_costs_no_look_through_the_others() -> None:
    """A client may watch 10,000 jobs, and name each in a message of its own."""
    hub = hub_on(Records())
    socket = Socket(*(json.dumps({"watch": jobs}) for jobs in ([UNKNOWN], [UNKNOWN, "e" * 32])), "")
    with hub.client(DEFAULT_PROJECT) as subscription:
        watched = subscription.jobs = WatchedJobs()
        await _receive(cast(Any, socket), hub, subscription, GatewaySettings())
        subscription.jobs = dict(watched.items())
    assert len(watched) == 2


async def test_a_connection_without_jobs_is_closed() -> None:
    """An unknown job is not watched."""

    class Nothing(Records):
        async def last_events(self, project: str, job_ids: Sequence[str]) -> dict[str, JobEvent]:
            return {}

    for messages in ([], [json.dumps({"watch": [UNKNOWN]})]):
        idle = Socket(*messages)
        await serving(idle, hub_on(Nothing()), live_idle=0.01)
        assert idle.closed == (1008, "This connection watches no job.")


async def test_a_connection_too_many_is_closed_with_a_reason() -> None:
    hub = hub_on(Records(), max_live=1)
    with hub.client(DEFAULT_PROJECT):
        second = Socket()
        await serving(second, hub)
    assert second.closed == (1013, "Too many clients watch jobs. Connect again later.")


async def test_jobs_too_many_for_all_connections_close_the_connection_with_a_reason() -> None:
    hub = hub_on(Records(), max_watched_in_all=3)
    with hub.subscription(DEFAULT_PROJECT) as other:
        await hub.watch(other, UNKNOWN, "e" * 32)
        second = Socket(json.dumps({"watch": [UNKNOWN]}), json.dumps({"watch": ["d" * 32]}))
        await serving(second, hub)
    assert second.closed == (1013, "Too many jobs are watched. Connect again later.")
