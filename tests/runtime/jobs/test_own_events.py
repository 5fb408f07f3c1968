"""The memory of a job in Redis, and its own events: short, and in order across two versions."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import WorkerCrashed
from contracts.imaging import Blob
from contracts.jobs import EVENTS, Job, JobEvent, JobRequest, JobResult, Webhook
from contracts.operations.pipeline import OPERATIONS, Pipeline
from services.runtime.jobs.own_events import published_event
from services.runtime.jobs.records import event_of, request_start, state_fields
from services.runtime.jobs.store import Jobs
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.envelope import pack_message
from services.runtime.messaging.unreadable import Damaged
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from tests.runtime.jobs.helpers import BLOB, CRASHED, GOOD, done, submitted
from tests.stored_images import store_image

MARKED = Pipeline.model_validate(
    {
        "operations": [
            {"op": "resize", "width": 720},
            {"op": "sharpen"},
            {"op": "watermark", "image": BLOB.key, "opacity": 0.5},
        ],
        "output": {"format": "webp", "quality": 82},
    }
)
HOOK = Webhook(url="https://agency.example/hooks/darkroom?token=0123456789abcdef")
RENDERED = JobResult(
    blob=Blob(key="c" * 64, media_type="image/webp", bytes=184_320), width=720, height=480
)
SPACED = WorkerCrashed("It died\nof it, \u00fcberhaupt.", retry_after=3).failure()


async def memory(redis: Any, job: Job) -> int:
    """The bytes that the keys of a job take: none of them has a name without the job's id."""
    names = await redis.keys(f"*{job.id}*")
    return sum([await redis.memory_usage(name, samples=0) for name in names])


@pytest.mark.parametrize(("variant", "webhook"), [(Pipeline(), None), (MARKED, HOOK)])
async def test_a_job_of_one_variant_takes_2_kib_at_most(
    jobs: Jobs, redis: Any, client: RedisClient, variant: Pipeline, webhook: Webhook | None
) -> None:
    await store_image(client, BLOB)
    job = await jobs.submit(
        BLOB.key, (variant,), submitter="2001:db8::ff00:42:8329", webhook=webhook
    )
    waiting = await memory(redis, job)
    running = done(await jobs.leases.start(job, "studio-4711-9f86d081", entry="1795909534411-0"))
    ended = done(await jobs.leases.add_result(running, RENDERED))
    assert await jobs.get(job.id) == ended
    assert 0 < waiting < await memory(redis, ended) <= 2048


async def test_a_new_record_has_the_fields_that_its_changes_write(jobs: Jobs, redis: Any) -> None:
    job = await submitted(jobs)
    record = await redis.hgetall(keys.job(job.id))
    written = {name.encode(): str(value).encode() for name, value in state_fields(job).items()}
    assert written.items() <= record.items()


def test_a_request_without_its_defaults_is_the_same_request() -> None:
    schemas = [operation.model_json_schema() for operation in OPERATIONS.values()]
    variants = [
        Pipeline.model_validate({"operations": [example], "output": {"quality": "auto"}})
        for schema in schemas
        for example in schema["examples"]
    ]
    assert len(variants) >= len(OPERATIONS)
    request = JobRequest(id="a" * 32, source=BLOB, variants=(*variants, Pipeline(), MARKED))
    start, source = request_start(request.id, request.variants), BLOB.model_dump_json()
    written = start + source.encode() + b"}"
    assert JobRequest.model_validate_json(written) == request
    assert b'"opacity":0.5' in written
    assert b'"lossless"' not in written


async def test_an_event_is_read_as_it_was_published(jobs: Jobs, redis: Any) -> None:
    job = await submitted(jobs, variants=2)
    published = [event_of(job)]
    changes: list[Callable[[Job], Awaitable[Job | None]]] = [
        lambda job: jobs.leases.start(job, "a-worker"),
        lambda job: jobs.leases.add_result(job, GOOD),
        lambda job: jobs.leases.retry(job, SPACED, delay=1000),
        lambda job: jobs.leases.start(job, "another"),
        lambda job: jobs.leases.add_result(job, GOOD),
    ]
    for change in changes:
        job = done(await change(job))
        published.append(event_of(job))
    assert [event.problem for event in published] == [None, None, None, SPACED, SPACED, None]
    assert await jobs.events([job.id], "0-0") == published
    entries = await redis.xrange(EVENTS)
    assert [published_event(Received(EVENTS, *entry[::-1])) for entry in entries] == published
    for number, event in enumerate(published, start=1):
        assert await jobs.events([job.id], str(event.id)) == published[number:]


@pytest.mark.parametrize(
    ("entry", "data"),
    [
        (b"1-1", {}),
        (b"1-1", {b"__data__": b""}),
        (b"1-1", {b"__data__": b"[1]"}),
        (b"1-1", {b"__data__": b'{"job": 1}'}),
        (b"1-1", b'{"job": 1}'),
        (None, {b"__data__": b"null"}),
    ],
)
def test_an_entry_that_is_no_event_is_refused(entry: bytes | None, data: Any) -> None:
    with pytest.raises(Damaged):
        published_event(Received(EVENTS, data, entry))


async def test_texts_that_are_no_events_are_left_out(jobs: Jobs, redis: Any) -> None:
    job = await submitted(jobs)
    strange = [
        "",
        "1-1 1 running",
        b"\xff 1 running 0 1",
        "1-1 1 unheard-of 0 1",
        "1 1 running 0 1",
    ]
    strange += ["1-1 0 running 0 1", f"1-1 1 running 0 {10**17 * 9}", "1-1 1 failed 0 1 {}"]
    for text in strange:
        await redis.rpush(keys.job_events(job.id), text)
        await redis.lpush(keys.job_events(job.id), text)
    assert await jobs.events([job.id], "0-0") == [event_of(job)]
    assert await jobs.last_events(DEFAULT_PROJECT, [job.id]) == {}


@pytest.mark.parametrize("version", [1, 2])
async def test_processes_of_two_versions_change_a_job_and_each_event_is_read_in_order(
    jobs: Jobs, redis: Any, version: int
) -> None:
    """A process of version 1 adds to the stream, whatever else there is, and reads nothing else."""
    job = await submitted(jobs)
    if version == 1:
        await redis.delete(keys.job_events(job.id))
        await _add_as_version_1(redis, event_of(job))
        await redis.hdel(keys.job(job.id), "v")
    running = done(await jobs.leases.start(job, "a-worker"))
    back = done(await jobs.leases.hand_back(running))
    again = await _add_as_version_1(redis, event_of(back))
    failed = done(await jobs.leases.add_result(done(await jobs.leases.start(back, "b")), GOOD))
    own = await jobs.events([job.id], "0-0")
    states = ["queued", "running", "queued", "queued", "running", "succeeded"]
    assert [event.state for event in own] == states
    assert [event.id for event in own] == sorted(str(event.id) for event in own)
    assert await jobs.last_events(DEFAULT_PROJECT, [job.id]) == {job.id: event_of(failed)}
    assert await jobs.events([job.id], again) == own[4:]
    read_by_version_1 = [entry.decode() for entry, _ in await redis.xrange(_stream(job))]
    assert read_by_version_1 == [event.id for event in own][-len(read_by_version_1) :]
    assert len(read_by_version_1) == (6 if version == 1 else 3)
    for key in (keys.job(job.id), keys.job_events(job.id), _stream(job)):
        assert await redis.ttl(key) in (-2, *range(1, 24 * 3600 + 1))


async def test_a_job_that_version_1_ends_leaves_no_key_for_ever(jobs: Jobs, redis: Any) -> None:
    job = await submitted(jobs)
    assert await redis.ttl(keys.job_events(job.id)) > 7 * 24 * 3600, "beyond its deadline"
    failed = done(await jobs.leases.start(job, "a-worker"))
    failed = done(await jobs.leases.add_result(failed, JobResult(problem=CRASHED)))
    assert 0 < await redis.ttl(keys.job_events(job.id)) <= 24 * 3600
    await jobs.requeue(DEFAULT_PROJECT, job.id)
    assert await redis.ttl(keys.job(job.id)) == -1
    assert await redis.ttl(keys.job_events(job.id)) > 7 * 24 * 3600


def _stream(job: Job) -> str:
    return keys.job_events_1(job.id)


async def _add_as_version_1(redis: Any, event: JobEvent) -> str:
    fields = {"__data__": pack_message(event, event.job)}
    entry: bytes = await redis.xadd(EVENTS, fields)
    await redis.xadd(keys.job_events_1(event.job), fields, id=entry)
    return entry.decode()
