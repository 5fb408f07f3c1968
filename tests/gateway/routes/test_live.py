"""WS /v1/live: every change of a job, pushed as it happens."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from contracts.errors import NotFound
from contracts.imaging import Blob
from contracts.jobs import OPEN_STATES, Job, JobResult
from contracts.operations.pipeline import Pipeline
from services.runtime.jobs.store import Jobs
from services.runtime.redis.client import make_redis
from services.runtime.settings import RuntimeSettings
from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream, mortal_valkey, valkey
from tests.stored_images import store_image

PNG = encoded(scenery(60, 40), "PNG")
BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)
UNKNOWN = "f" * 32


def connect_to(url: str) -> connect:
    return connect(url.replace("http", "ws", 1) + "/v1/live")


async def watch(socket: ClientConnection, *jobs: str) -> None:
    await socket.send(json.dumps({"watch": jobs}))


async def next_event(socket: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 10))
    return event


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """Wait until the server closes the connection; return its code and reason."""
    async with asyncio.timeout(10):
        with suppress(ConnectionClosed):
            async for _ in socket:
                pass
    assert socket.close_code is not None
    return socket.close_code, socket.close_reason or ""


async def submitted(url: str, body: bytes) -> str:
    """Submit a job; return its id."""
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        return str((await client.post("/v1/jobs", content=body)).json()["id"])


async def until_the_end(socket: ClientConnection) -> list[dict[str, Any]]:
    """Return all events of a job until its end."""
    events = [await next_event(socket)]
    while events[-1]["state"] in OPEN_STATES:
        events.append(await next_event(socket))
    return events


def progress(event: dict[str, Any]) -> tuple[str, int]:
    return event["state"], event["done"]


def written(job: Job | None) -> Job:
    """Return the job after a change that must have succeeded."""
    assert job is not None
    return job


async def test_every_state_is_pushed_in_order(workerless: Service, jobs: Jobs) -> None:
    async with connect_to(workerless.url) as socket:
        job = await jobs.submit(BLOB.key, (Pipeline(), Pipeline()), submitter="me")
        await watch(socket, job.id)
        assert progress(await next_event(socket)) == ("queued", 0)

        running = written(await jobs.leases.start(job, "a-worker"))
        one = written(await jobs.leases.add_result(running, JobResult(blob=BLOB)))
        written(await jobs.leases.add_result(one, JobResult(blob=BLOB)))

        seen = [progress(await next_event(socket)) for _ in range(3)]
        assert seen == [("running", 0), ("running", 1), ("succeeded", 2)]


async def test_resuming_sends_each_later_event_once(workerless: Service, jobs: Jobs) -> None:
    job = await jobs.submit(BLOB.key, (Pipeline(), Pipeline()), submitter="me")
    running = written(await jobs.leases.start(job, "a-worker"))
    one = written(await jobs.leases.add_result(running, JobResult(blob=BLOB)))
    async with connect_to(workerless.url) as socket:
        await socket.send(json.dumps({"watch": [job.id], "after": job.event}))
        assert [(await next_event(socket))["id"] for _ in range(2)] == [running.event, one.event]
        end = written(await jobs.leases.add_result(one, JobResult(blob=BLOB)))
        assert (await next_event(socket))["id"] == end.event
    async with connect_to(workerless.url) as socket:
        await socket.send(json.dumps({"watch": [job.id], "after": end.event}))
        await watch(socket, UNKNOWN)
        assert (await next_event(socket))["job"] == UNKNOWN, "no event of the job is left"


async def test_a_real_job_is_reported_until_its_end(gateway_url: str) -> None:
    async with connect_to(gateway_url) as socket:
        job = await submitted(gateway_url, PNG)
        await watch(socket, job)

        seen = [progress(event) for event in await until_the_end(socket)]

    order = [("queued", 0), ("running", 0), ("succeeded", 1)]
    assert seen == order[order.index(seen[0]) :]


async def test_a_job_that_has_ended_sends_its_last_event(gateway_url: str) -> None:
    job = await submitted(gateway_url, b"no image")
    async with connect_to(gateway_url) as first:
        await watch(first, job)
        [*_, end] = await until_the_end(first)

    async with connect_to(gateway_url) as second:
        await watch(second, job)
        event = await next_event(second)

    assert event == end
    assert (event["state"], event["problem"]["code"]) == ("failed", "image_unreadable")


async def test_an_unknown_job_is_reported_as_not_found(gateway_url: str) -> None:
    async with connect_to(gateway_url) as socket:
        await watch(socket, UNKNOWN)

        event = await next_event(socket)

    assert (event["job"], event["state"]) == (UNKNOWN, "failed")
    assert event["problem"]["code"] == "not_found"


async def test_watching_again_repeats_the_last_event_and_later_changes_come_once(
    workerless: Service, jobs: Jobs
) -> None:
    async with connect_to(workerless.url) as socket:
        job = await jobs.submit(BLOB.key, (Pipeline(),), submitter="me")
        for _ in range(3):
            await watch(socket, job.id, job.id)
            assert progress(await next_event(socket)) == ("queued", 0)
            assert progress(await next_event(socket)) == ("queued", 0)

        await jobs.leases.start(job, "a-worker")

        assert progress(await next_event(socket)) == ("running", 0)
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
    async with connect_to(gateway_url) as socket:
        await socket.send(message)

        code, reason = await closed(socket)

    assert code == 1008
    assert '{"watch": [job ids]}' in reason


async def test_events_during_a_lost_connection_to_redis_are_sent_afterwards() -> None:
    with valkey() as server:
        url = str(server.connection_url)
        with faststream("gateway", url) as gateway:
            redis = make_redis(RuntimeSettings(redis_url=url))
            async with connect_to(gateway.url) as socket:
                jobs = Jobs(redis, RuntimeSettings())
                await store_image(redis, BLOB)
                job = await jobs.submit(BLOB.key, (Pipeline(),), submitter="me")
                await watch(socket, job.id)
                assert progress(await next_event(socket)) == ("queued", 0)

                # Cut the gateway's connections, and write both changes before it reconnects.
                await redis.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                running = written(await jobs.leases.start(job, "a-worker"))
                await jobs.leases.add_result(running, JobResult(problem=NotFound("gone").failure()))

                assert progress(await next_event(socket)) == ("running", 0)
                assert progress(await next_event(socket)) == ("failed", 1)
            await redis.close()


async def test_redis_down_closes_the_connection_with_a_reason(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server, faststream("gateway", server.url) as gateway:
        async with connect_to(gateway.url) as socket:
            server.kill()
            await watch(socket, UNKNOWN)

            assert await closed(socket) == (1013, "Redis does not answer; connect again.")

        async with httpx.AsyncClient(base_url=gateway.url, timeout=20) as client:
            assert_problem(await client.get(f"/v1/jobs/{UNKNOWN}"), 503, "unavailable")
        assert "Traceback" not in gateway.output()


async def test_past_events_of_several_jobs_come_in_the_order_of_their_ids(
    workerless: Service, jobs: Jobs
) -> None:
    """So a client that is cut off at any of them can resume after the last one it received."""
    one = await jobs.submit(BLOB.key, (Pipeline(),), submitter="me")
    two = await jobs.submit(BLOB.key, (Pipeline(),), submitter="me")
    for job in (one, two):
        written(await jobs.leases.start(job, "a-worker"))
    async with connect_to(workerless.url) as socket:
        await socket.send(json.dumps({"watch": [two.id, one.id], "after": "0-1"}))
        first = [await next_event(socket) for _ in range(2)]
        then = [await next_event(socket) for _ in range(2)]
    assert [event["job"] for event in first] == [one.id, two.id]
    assert [event["job"] for event in then] == [one.id, two.id]
    async with connect_to(workerless.url) as socket:
        await socket.send(json.dumps({"watch": [two.id, one.id], "after": first[0]["id"]}))
        assert [await next_event(socket) for _ in range(3)] == [first[1], *then]
