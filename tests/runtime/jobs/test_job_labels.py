"""The label of a job: in its record and in each of its events."""

import json
from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.imaging import Blob
from contracts.jobs import EVENTS, JOBS, JobRequest, JobResult
from contracts.methods import GROUP
from contracts.operations.pipeline import Pipeline
from services.runtime.jobs.records import event_of
from services.runtime.jobs.store import Jobs
from services.runtime.messaging.envelope import body_of
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.records import Kind
from tests.runtime.jobs.helpers import CRASHED, GOOD, done, submitted
from tests.stored_images import store_image

LABEL = 'Ku\u0308che "1" \\ 2/3 \U0001f3e0\x7f.jpg'


async def published(redis: Any) -> list[dict[str, Any]]:
    return [json.loads(body_of(fields[b"__data__"])) for _, fields in await redis.xrange(EVENTS)]


async def test_each_event_of_a_job_has_its_label(jobs: Jobs, redis: Any) -> None:
    job = await submitted(jobs, label=LABEL, variants=2)
    assert job.label == LABEL
    await redis.xgroup_create(JOBS, GROUP, id="0")
    assignment = await jobs.leases.take_next("a-worker")
    assert assignment is not None
    running = done(assignment.job())
    assert running.label == LABEL
    back = done(await jobs.leases.hand_back(running))
    ended = done(await jobs.leases.start(back, "b"))
    for _ in range(2):
        ended = done(await jobs.leases.add_result(ended, GOOD))

    assert await jobs.get(job.id) == ended
    own = await jobs.events([job.id], "0-0")
    assert len(own) == 6
    assert {event.label for event in own} == {LABEL}
    assert [event["label"] for event in await published(redis)] == [LABEL] * 6
    assert await jobs.last_events(DEFAULT_PROJECT, [job.id]) == {job.id: event_of(ended)}


@pytest.mark.parametrize("given", ["", "of the job"])
async def test_a_job_has_what_its_image_s_record_says(
    jobs: Jobs, redis: Any, client: RedisClient, given: str
) -> None:
    source = Blob(key="5" * 64, media_type="image/svg+xml", bytes=1)
    await store_image(client, source)
    await redis.hset(keys.blob(Kind.IMAGE, source.key), "label", LABEL)
    job = await jobs.submit(source.key, (Pipeline(),), submitter="me", label=given)
    assert (job.source, job.label) == (source, given or LABEL)
    assert await jobs.find(DEFAULT_PROJECT, job.id) == job
    assert await jobs.events([job.id], "0-0") == [event_of(job)]
    assert [event["label"] for event in await published(redis)] == [job.label]


async def test_a_worker_that_takes_a_job_by_its_request_knows_the_label(
    jobs: Jobs, redis: Any
) -> None:
    job = await submitted(jobs, label=LABEL)
    request = JobRequest(id=job.id, source=job.source, variants=job.variants)
    assert done(await jobs.leases.take(request, "a-worker")).label == LABEL
    assert (await published(redis))[-1]["label"] == LABEL


async def test_a_requeued_job_keeps_its_label(jobs: Jobs, redis: Any) -> None:
    job = await submitted(jobs, label=LABEL)
    running = done(await jobs.leases.start(job, "a-worker"))
    await jobs.leases.add_result(running, JobResult(problem=CRASHED))
    assert (await jobs.requeue(DEFAULT_PROJECT, job.id)).label == LABEL
    assert (await published(redis))[-1]["label"] == LABEL


async def test_a_job_without_a_label_takes_no_room_for_one(jobs: Jobs, redis: Any) -> None:
    job = await submitted(jobs)
    await redis.xgroup_create(JOBS, GROUP, id="0")
    assert await jobs.leases.take_next("a-worker") is not None
    assert await redis.hexists(keys.job(job.id), "label") == 0
    assert [event.get("label", "left out") for event in await published(redis)] == ["left out"] * 2
    assert {event.label for event in await jobs.events([job.id], "0-0")} == {None}


async def test_a_record_that_is_no_hash_keeps_the_events_of_no_job_back(
    jobs: Jobs, redis: Any
) -> None:
    job, broken = await submitted(jobs, label="a.jpg"), await submitted(jobs)
    await redis.delete(keys.job(broken.id))
    await redis.set(keys.job(broken.id), "text")
    events = await jobs.events([job.id, broken.id], "0-0")
    assert [event.job for event in events] == [job.id, broken.id]
