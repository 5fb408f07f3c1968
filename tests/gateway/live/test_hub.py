"""WS /v1/live: every change of a job, pushed the moment it happens."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from contracts.errors import NotFound
from contracts.imaging import Blob
from contracts.jobs import OPEN_STATES, Job, JobEvent, JobResult, JobState
from contracts.operations.pipeline import Pipeline
from services.gateway.live.hub import LiveHub
from services.gateway.settings import GatewaySettings
from services.runtime.jobs.store import Jobs
from services.runtime.settings import RuntimeSettings
from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream, mortal_valkey, valkey

PNG = encoded(scenery(60, 40), "PNG")
BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)
UNKNOWN = "f" * 32


def live_of(url: str) -> connect:
    return connect(url.replace("http", "ws", 1) + "/v1/live")


async def watch(socket: ClientConnection, *jobs: str) -> None:
    await socket.send(json.dumps({"watch": jobs}))


async def next_event(socket: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 10))
    return event


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """How the server closed the connection."""
    async with asyncio.timeout(10):
        with suppress(ConnectionClosed):
            async for _ in socket:
                pass
    assert socket.close_code is not None
    return socket.close_code, socket.close_reason or ""


async def submitted(url: str, body: bytes) -> str:
    """The id of a new job."""
    async with httpx.AsyncClient(base_url=url) as client:
        return str((await client.post("/v1/jobs", content=body)).json()["id"])


async def until_the_end(socket: ClientConnection) -> list[dict[str, Any]]:
    """All that is told of a job until it is no longer open."""
    events = [await next_event(socket)]
    while events[-1]["state"] in OPEN_STATES:
        events.append(await next_event(socket))
    return events


def told(event: dict[str, Any]) -> tuple[str, int]:
    return event["state"], event["done"]


def written(job: Job | None) -> Job:
    """A change that nobody else came before."""
    assert job is not None
    return job


@pytest.fixture
async def jobs(lonely_redis: str) -> AsyncIterator[Jobs]:
    """The records behind the lonely gateway, to write what a worker would."""
    async with Redis.from_url(lonely_redis) as redis:
        yield Jobs(redis, RuntimeSettings())


async def test_every_state_is_pushed_in_order(lonely: Service, jobs: Jobs) -> None:
    async with live_of(lonely.url) as socket:
        job = await jobs.submit(BLOB, (Pipeline(), Pipeline()), submitter="me")
        await watch(socket, job.id)
        assert told(await next_event(socket)) == ("queued", 0)

        running = written(await jobs.start(job, "a-worker"))
        one = written(await jobs.add_result(running, JobResult(blob=BLOB)))
        written(await jobs.add_result(one, JobResult(blob=BLOB)))

        seen = [told(await next_event(socket)) for _ in range(3)]
        assert seen == [("running", 0), ("running", 1), ("succeeded", 2)]


async def test_a_resume_tells_what_came_after_an_event_and_nothing_twice(
    lonely: Service, jobs: Jobs
) -> None:
    job = await jobs.submit(BLOB, (Pipeline(), Pipeline()), submitter="me")
    running = written(await jobs.start(job, "a-worker"))
    one = written(await jobs.add_result(running, JobResult(blob=BLOB)))
    async with live_of(lonely.url) as socket:
        await socket.send(json.dumps({"watch": [job.id], "after": job.event}))
        assert [(await next_event(socket))["id"] for _ in range(2)] == [running.event, one.event]
        end = written(await jobs.add_result(one, JobResult(blob=BLOB)))
        assert (await next_event(socket))["id"] == end.event
    async with live_of(lonely.url) as socket:
        await socket.send(json.dumps({"watch": [job.id], "after": end.event}))
        await watch(socket, UNKNOWN)
        assert (await next_event(socket))["job"] == UNKNOWN, "there is nothing more to tell"


async def test_a_real_job_is_told_until_its_end(gateway_url: str) -> None:
    async with live_of(gateway_url) as socket:
        job = await submitted(gateway_url, PNG)
        await watch(socket, job)

        seen = [told(event) for event in await until_the_end(socket)]

    order = [("queued", 0), ("running", 0), ("succeeded", 1)]
    assert seen == order[order.index(seen[0]) :]


async def test_a_job_that_ended_before_is_still_told(gateway_url: str) -> None:
    job = await submitted(gateway_url, b"no image")
    async with live_of(gateway_url) as first:
        await watch(first, job)
        [*_, end] = await until_the_end(first)

    async with live_of(gateway_url) as second:
        await watch(second, job)
        event = await next_event(second)

    assert event == end
    assert (event["state"], event["problem"]["code"]) == ("failed", "image_unreadable")


async def test_an_unknown_job_is_said_to_be_unknown(gateway_url: str) -> None:
    async with live_of(gateway_url) as socket:
        await watch(socket, UNKNOWN)

        event = await next_event(socket)

    assert (event["job"], event["state"]) == (UNKNOWN, "failed")
    assert event["problem"]["code"] == "not_found"


async def test_watching_again_is_answered_again_and_tells_nothing_twice(
    lonely: Service, jobs: Jobs
) -> None:
    async with live_of(lonely.url) as socket:
        job = await jobs.submit(BLOB, (Pipeline(),), submitter="me")
        for _ in range(3):
            await watch(socket, job.id, job.id)
            assert told(await next_event(socket)) == ("queued", 0)
            assert told(await next_event(socket)) == ("queued", 0)

        await jobs.start(job, "a-worker")

        assert told(await next_event(socket)) == ("running", 0)
        await watch(socket, UNKNOWN)
        assert (await next_event(socket))["job"] == UNKNOWN


@pytest.mark.parametrize(
    "message",
    [
        "",
        "watch",
        "{}",
        "[]",
        '{"watch": "all"}',
        '{"watch": ["nonsense"]}',
        '{"watch": [], "more": 1}',
        json.dumps({"watch": [UNKNOWN] * 1001}),
        "[" * 10_000,
        b'{"watch": []}',
        b"\xff",
    ],
    ids=lambda message: str(message[:30]),
)
async def test_a_malformed_message_closes_with_a_reason(
    gateway_url: str, message: str | bytes
) -> None:
    async with live_of(gateway_url) as socket:
        await socket.send(message)

        code, reason = await closed(socket)

    assert code == 1008
    assert '{"watch": [job ids]}' in reason


async def test_events_missed_while_the_reader_was_cut_off_are_told() -> None:
    with valkey() as server:
        url = str(server.connection_url)
        with faststream("gateway", url) as gateway:
            async with Redis.from_url(url) as redis, live_of(gateway.url) as socket:
                jobs = Jobs(redis, RuntimeSettings())
                job = await jobs.submit(BLOB, (Pipeline(),), submitter="me")
                await watch(socket, job.id)
                assert told(await next_event(socket)) == ("queued", 0)

                # Its connections are gone, and both changes are written before it is back.
                async with redis.pipeline(transaction=False) as pipe:
                    pipe.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                    await pipe.execute()
                running = written(await jobs.start(job, "a-worker"))
                await jobs.add_result(running, JobResult(problem=NotFound("gone").failure()))

                assert told(await next_event(socket)) == ("running", 0)
                assert told(await next_event(socket)) == ("failed", 1)


async def test_redis_away_closes_with_a_reason(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server, faststream("gateway", server.url) as gateway:
        async with live_of(gateway.url) as socket:
            server.kill()
            await watch(socket, UNKNOWN)

            assert await closed(socket) == (1013, "The store does not answer; connect again.")

        async with httpx.AsyncClient(base_url=gateway.url) as client:
            assert_problem(await client.get(f"/v1/jobs/{UNKNOWN}"), 503, "unavailable")
        assert "Traceback" not in gateway.output()


class Socket:
    """A client that asks for one job and then reads nothing."""

    def __init__(self, *messages: str) -> None:
        self.closed: tuple[int, str] | None = None
        self.sending = asyncio.Event()
        self._messages = list(messages)

    async def receive_text(self) -> str:
        if self._messages:
            return self._messages.pop(0)
        await asyncio.Event().wait()
        raise WebSocketDisconnect

    async def send_text(self, text: str) -> None:
        self.sending.set()
        await asyncio.Event().wait()

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class Records:
    """Records that say of every job that it is queued."""

    async def last_event(self, job_id: str) -> JobEvent:
        return event(JobState.QUEUED, 0, "5-0").model_copy(update={"job": job_id})


def live_on(records: Any, **settings: Any) -> LiveHub:
    return LiveHub(records, GatewaySettings(**settings))


def serving(socket: Any, pushes: LiveHub) -> Coroutine[Any, Any, None]:
    return pushes.serve(socket)


async def test_a_reader_that_does_not_keep_up_is_dropped_with_a_reason() -> None:
    pushes = live_on(Records(), max_backlog=3)
    socket = Socket(json.dumps({"watch": [UNKNOWN]}))
    served = asyncio.create_task(serving(socket, pushes))
    await asyncio.wait_for(socket.sending.wait(), 5)

    for done in range(10):
        pushes.tell(event(JobState.RUNNING, done, f"6-{done}"))

    await asyncio.wait_for(served, 5)
    assert socket.closed == (1013, "You are behind; connect again and resume.")
    assert not pushes._watchers


async def test_what_happens_while_the_last_event_is_read_is_told_after_it() -> None:
    """The job ends while its last event, which says queued, is on its way."""
    sent: list[str] = []
    pushes: LiveHub

    class Late(Records):
        async def last_event(self, job_id: str) -> JobEvent:
            pushes.tell(event(JobState.SUCCEEDED, 1, "6-0"))
            return await super().last_event(job_id)

    class Reader(Socket):
        async def send_text(self, text: str) -> None:
            sent.append(JobEvent.model_validate_json(text).state)
            if len(sent) == 3:
                raise WebSocketDisconnect

    pushes = live_on(Late())
    reader = Reader(json.dumps({"watch": [UNKNOWN]}), json.dumps({"watch": [UNKNOWN]}))

    await asyncio.wait_for(serving(reader, pushes), 5)

    # It is asked for twice and is the same each time; what has ended is told once.
    assert sent == ["queued", "succeeded", "queued"]


async def test_repeats_do_not_count_as_more_jobs() -> None:
    pushes = live_on(Records(), max_watched=2)
    repeats = [json.dumps({"watch": [UNKNOWN, "e" * 32]})] * 5
    reader = Socket(*repeats, json.dumps({"watch": ["d" * 32]}))

    await asyncio.wait_for(serving(reader, pushes), 5)

    assert reader.closed == (1008, "Too many jobs for one connection.")
    assert reader._messages == []


def event(state: JobState, done: int, place: str) -> JobEvent:
    now = datetime.now(UTC)
    return JobEvent(id=place, job=UNKNOWN, state=state, done=done, total=10, at=now)


class Ahead(Records):
    """Records of a Redis that is further than this process's reader."""

    async def events(self, job_id: str, after: str) -> list[JobEvent]:
        return []


async def test_who_resumes_where_the_reader_is_behind_is_told_nothing_twice() -> None:
    pushes = live_on(Ahead())
    with pushes.watching() as watcher:
        await pushes.watch(watcher, UNKNOWN, after="5-0")
        pushes.tell(event(JobState.QUEUED, 0, "5-0"))
        pushes.tell(event(JobState.RUNNING, 0, "6-0"))
        assert (await watcher.next()).id == "6-0"


async def test_who_may_have_missed_something_has_to_come_again() -> None:
    pushes = live_on(Records())
    socket = Socket(json.dumps({"watch": [UNKNOWN]}))
    served = asyncio.create_task(serving(socket, pushes))
    await asyncio.wait_for(socket.sending.wait(), 5)
    pushes.missed()
    await asyncio.wait_for(served, 5)
    assert socket.closed == (1013, "You are behind; connect again and resume.")


async def test_what_several_jobs_had_is_told_in_the_order_of_its_ids(
    lonely: Service, jobs: Jobs
) -> None:
    """Whoever is cut off anywhere in it can resume after the last event it had."""
    one = await jobs.submit(BLOB, (Pipeline(),), submitter="me")
    two = await jobs.submit(BLOB, (Pipeline(),), submitter="me")
    for job in (one, two):
        written(await jobs.start(job, "a-worker"))
    async with live_of(lonely.url) as socket:
        await socket.send(json.dumps({"watch": [two.id, one.id], "after": "0-1"}))
        told_first = [await next_event(socket) for _ in range(2)]
        told_then = [await next_event(socket) for _ in range(2)]
    assert [event["job"] for event in told_first] == [one.id, two.id]
    assert [event["job"] for event in told_then] == [one.id, two.id]
    async with live_of(lonely.url) as socket:
        await socket.send(json.dumps({"watch": [two.id, one.id], "after": told_first[0]["id"]}))
        assert [await next_event(socket) for _ in range(3)] == [told_first[1], *told_then]
