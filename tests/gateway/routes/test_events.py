"""GET /v1/jobs/{id}/events: Server-Sent Events that resume with neither gap nor repeat."""

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx

from contracts.imaging import Blob
from contracts.jobs import JobResult
from contracts.operations.pipeline import Pipeline
from services.runtime.jobs.store import Jobs
from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream

PNG = encoded(scenery(60, 40), "PNG")
BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)


class Event(dict[str, str]):
    """The fields of one event."""

    @property
    def job_event(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self["data"])
        return data


def events_in(lines: Iterator[str]) -> Iterator[Event]:
    event = Event()
    for line in lines:
        if not line:
            if event:
                yield event
            event = Event()
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def stream(client: httpx.Client, job: str, after: str | None = None) -> list[Event]:
    """Return the events of a job until the server ends the stream."""
    headers = {} if after is None else {"Last-Event-ID": after}
    with client.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        return list(events_in(answer.iter_lines()))


async def ids(gateway: Service, job: str, number: int, after: str = "") -> list[str]:
    """Return the ids of the next `number` events, and close the connection."""
    found: list[str] = []
    async with (
        httpx.AsyncClient(base_url=gateway.url, timeout=10) as client,
        client.stream("GET", f"/v1/jobs/{job}/events", headers={"Last-Event-ID": after}) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                found.append(line.removeprefix("id: "))
            if len(found) == number:
                break
    return found


def submit(client: httpx.Client, variants: int = 1) -> str:
    image = client.post("/v1/images", content=PNG).json()["id"]
    asked = {"source": {"image": image}, "variants": [{"operations": []}] * variants}
    return str(client.post("/v1/jobs", json=asked).json()["id"])


def test_the_stream_ends_with_the_job(client: httpx.Client) -> None:
    events = stream(client, submit(client, variants=3))
    assert {event["event"] for event in events} == {"job"}
    assert events[-1].job_event["state"] == "succeeded"
    assert [event["id"] for event in events] == [event.job_event["id"] for event in events]
    done = [event.job_event["done"] for event in events]
    assert done == sorted(done)


def test_resuming_after_any_event_sends_each_later_one_once(client: httpx.Client) -> None:
    job = submit(client, variants=4)
    stream(client, job)
    everything = stream(client, job, after="0-1")
    assert [event.job_event["state"] for event in everything] == [
        "queued",
        *["running"] * 4,
        "succeeded",
    ]
    for number, event in enumerate(everything[:-1]):
        assert stream(client, job, after=event["id"]) == everything[number + 1 :]


def test_a_client_that_has_the_last_event_receives_204(client: httpx.Client) -> None:
    job = submit(client)
    last = stream(client, job)[-1]["id"]
    again = client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": last})
    assert (again.status_code, again.content) == (204, b"")


def test_a_malformed_id_starts_with_the_last_event(client: httpx.Client) -> None:
    job = submit(client)
    (end,) = stream(client, job)[-1:]
    assert stream(client, job, after="nonsense") == [end]


def test_an_unknown_job_is_404(client: httpx.Client) -> None:
    assert_problem(client.get(f"/v1/jobs/{'f' * 32}/events"), 404, "not_found")


async def test_events_between_two_connections_are_sent_on_resuming(
    workerless: Service, jobs: Jobs
) -> None:
    job = await jobs.submit(BLOB.key, (Pipeline(),) * 3, submitter="me")
    assert await ids(workerless, job.id, 1) == [job.event]
    running = await jobs.leases.start(job, "a-worker")
    assert running is not None
    one = await jobs.leases.add_result(running, JobResult(blob=BLOB))
    assert one is not None
    assert await ids(workerless, job.id, 2, str(job.event)) == [running.event, one.event]


async def test_an_idle_stream_sends_comments(workerless_redis: str, jobs: Jobs) -> None:
    job = await jobs.submit(BLOB.key, (Pipeline(),), submitter="me")
    with faststream("gateway", workerless_redis, env={"DARKROOM_KEEP_ALIVE": "0.2"}) as gateway:
        async with (
            httpx.AsyncClient(base_url=gateway.url, timeout=10) as client,
            client.stream("GET", f"/v1/jobs/{job.id}/events") as answer,
        ):
            comments = 0
            async for line in answer.aiter_lines():
                comments += line.startswith(":")
                if comments == 3:
                    break
            assert comments == 3


def test_an_open_stream_does_not_delay_a_shutdown(workerless_redis: str) -> None:
    with (
        faststream("gateway", workerless_redis) as gateway,
        httpx.Client(base_url=gateway.url, timeout=20) as client,
    ):
        job = client.post("/v1/jobs", content=PNG).json()["id"]
        with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
            events = events_in(answer.iter_lines())
            assert next(events)["event"] == "job"
            started = time.monotonic()
            gateway.signal(signal.SIGTERM)
            assert next(events)["event"] == "dropped"
        gateway.process.wait(10)
        assert time.monotonic() - started < 8


async def test_catching_up_may_take_more_events_than_the_queue_holds(
    workerless_redis: str, jobs: Jobs
) -> None:
    job = await jobs.submit(BLOB.key, (Pipeline(),) * 20, submitter="me")
    running = await jobs.leases.start(job, "a-worker")
    for _ in range(10):
        assert running is not None
        running = await jobs.leases.add_result(running, JobResult(blob=BLOB))
    with faststream("gateway", workerless_redis, env={"DARKROOM_MAX_BACKLOG": "3"}) as gateway:
        assert len(await ids(gateway, job.id, 12, "0-1")) == 12


def test_an_id_beyond_every_possible_one_starts_with_the_last_event(client: httpx.Client) -> None:
    job = submit(client)
    (end,) = stream(client, job)[-1:]
    assert stream(client, job, after="99999999999999999999-0") == [end]


async def test_head_ends_at_once_with_the_headers_of_the_stream(
    workerless: Service, jobs: Jobs
) -> None:
    job = await jobs.submit(BLOB.key, (Pipeline(),), submitter="me")
    async with httpx.AsyncClient(base_url=workerless.url, timeout=20) as client:
        head = await client.head(f"/v1/jobs/{job.id}/events")
        async with client.stream("GET", f"/v1/jobs/{job.id}/events") as get:
            assert head.status_code == get.status_code == 200
            for name in get.headers.keys() - {"date", "transfer-encoding", "x-correlation-id"}:
                assert head.headers[name] == get.headers[name]
        assert (await client.head(f"/v1/jobs/{'f' * 32}/events")).status_code == 404


async def test_a_stream_too_many_is_refused(workerless_redis: str, jobs: Jobs) -> None:
    job = await jobs.submit(BLOB.key, (Pipeline(),), submitter="me")
    env = {"DARKROOM_MAX_LIVE": "1"}
    with faststream("gateway", workerless_redis, env=env) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=20) as client:
            address = f"/v1/jobs/{job.id}/events"
            async with client.stream("GET", address) as first:
                assert first.status_code == 200
                assert_problem(await client.get(address), 503, "overloaded")
