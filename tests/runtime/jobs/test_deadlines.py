"""A job ends by its deadline, and its images are kept until then."""

import asyncio
from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Code, NotFound
from contracts.imaging import Blob
from contracts.jobs import JOBS, JobResult, JobState, Webhook
from contracts.operations.overlays import Watermark
from contracts.operations.pipeline import Pipeline
from services.runtime.jobs.store import Jobs
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from tests.runtime.jobs.helpers import BLOB, CRASHED, GOOD, done, jobs_on, submitted
from tests.stored_images import store_image

LOGO = Blob(key="b" * 64, media_type="image/png", bytes=1)
MARKED = (Pipeline(operations=(Watermark(image=LOGO.key),)),)


async def test_the_deadline_is_the_clients_or_the_settings_whichever_is_sooner(
    client: RedisClient, redis: Any
) -> None:
    jobs = jobs_on(client, job_timeout=100)
    for asked, given in ((None, 100), (10, 10), (1000, 100)):
        before, _ = await redis.time()
        job = await submitted(jobs, timeout=asked)
        after, _ = await redis.time()
        assert job.deadline is not None
        assert before + given <= job.deadline.timestamp() <= after + 1 + given
        assert (await jobs.find(DEFAULT_PROJECT, job.id)).deadline == job.deadline


@pytest.mark.parametrize("state", ["queued", "running", "waits for a retry"])
async def test_a_late_job_fails_by_name_with_its_results(
    jobs: Jobs, redis: Any, state: str
) -> None:
    job = await submitted(jobs, variants=3, timeout=0.05)
    if state != "queued":
        running = done(await jobs.leases.start(job, "a-worker"))
        running = done(await jobs.leases.add_result(running, GOOD))
    if state == "waits for a retry":
        await jobs.leases.retry(running, CRASHED, delay=1000)
    await asyncio.sleep(0.06)  # time is the subject
    assert await jobs.run_maintenance("me", lease=5)
    ended = await jobs.find(DEFAULT_PROJECT, job.id)
    assert ended.problem is not None
    assert (ended.state, ended.problem.code) == (JobState.FAILED, Code.DEADLINE_EXCEEDED)
    assert ended.results == (() if state == "queued" else (GOOD,))
    (letter,) = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert letter.job == job.id
    indexes = (keys.JOBS_QUEUED, keys.JOBS_RUNNING, keys.JOBS_LATER, keys.JOBS_DEADLINES)
    assert [await redis.zcard(index) for index in indexes] == [0, 0, 0, 0]
    if state == "running":
        assert await jobs.leases.add_result(running, GOOD) is None, "its worker has lost the lease"


async def test_a_requeued_job_has_all_of_its_time_again(jobs: Jobs) -> None:
    job = await submitted(jobs, timeout=100)
    running = done(await jobs.leases.start(job, "a-worker"))
    await asyncio.sleep(0.02)  # time is the subject
    failed = done(await jobs.leases.add_result(running, JobResult(problem=CRASHED)))
    back = await jobs.requeue(DEFAULT_PROJECT, failed.id)
    assert job.deadline is not None
    assert back.deadline is not None
    assert 0.02 <= (back.deadline - job.deadline).total_seconds() < 10


async def test_a_job_that_nobody_can_end_does_not_keep_others_from_their_end(
    jobs: Jobs, redis: Any
) -> None:
    strange, lost = await submitted(jobs, timeout=0.01), await submitted(jobs, timeout=0.01)
    late = await submitted(jobs, timeout=0.01)
    await redis.hset(f"darkroom:job:{strange.id}", "attempts", "unheard of")
    await redis.delete(f"darkroom:job:{lost.id}")
    await asyncio.sleep(0.02)  # time is the subject
    assert await jobs.run_maintenance("me", lease=5)
    assert (await jobs.find(DEFAULT_PROJECT, late.id)).state is JobState.FAILED
    letters = {letter.job async for letter in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)}
    assert letters == {strange.id, late.id}, "a damaged record is quarantined"
    assert await redis.zcard(keys.JOBS_DEADLINES) == 0


async def test_source_and_watermarks_outlive_the_deadline(jobs: Jobs, client: RedisClient) -> None:
    for blob in (BLOB, LOGO):
        await store_image(client, blob, ttl=20)
    await jobs.submit(BLOB.key, MARKED, submitter="me", timeout=100)
    for blob in (BLOB, LOGO):
        assert await client.execute("TTL", keys.blob("image", blob.key)) >= 90
    await jobs.submit(BLOB.key, (Pipeline(),), submitter="me", timeout=1)
    assert await client.execute("TTL", keys.blob("image", BLOB.key)) >= 80, "never shortened"


async def test_an_image_that_is_kept_for_ever_is_never_given_an_end(
    client: RedisClient,
) -> None:
    jobs = jobs_on(client, job_ttl=100, job_timeout=1)
    for blob in (BLOB, LOGO):
        await store_image(client, blob)
        await client.execute("PERSIST", keys.blob("image", blob.key))
    job = await jobs.submit(BLOB.key, MARKED, submitter="me")
    for _ in range(2):
        running = done(await jobs.leases.start(job, "a-worker"))
        await jobs.leases.add_result(running, JobResult(problem=CRASHED))
        job = await jobs.requeue(DEFAULT_PROJECT, job.id)
    for blob in (BLOB, LOGO):
        assert await client.execute("PEXPIRETIME", keys.blob("image", blob.key)) == -1


@pytest.mark.parametrize("missing", [BLOB, LOGO])
async def test_a_job_without_one_of_its_images_is_refused(
    jobs: Jobs, client: RedisClient, missing: Blob
) -> None:
    for blob in (BLOB, LOGO):
        if blob is not missing:
            await store_image(client, blob)
    with pytest.raises(NotFound, match=missing.key):
        await jobs.submit(BLOB.key, MARKED, submitter="me")
    assert await client.execute("XLEN", JOBS) == 0


async def test_a_dead_letter_keeps_its_images_for_a_requeue_or_says_what_is_missing(
    client: RedisClient,
) -> None:
    for blob in (BLOB, LOGO):
        await store_image(client, blob)
    jobs = jobs_on(client, job_ttl=100_000, job_timeout=1)
    job = await jobs.submit(BLOB.key, MARKED, submitter="me")
    running = done(await jobs.leases.start(job, "a-worker"))
    await jobs.leases.add_result(running, JobResult(problem=CRASHED))
    for blob in (BLOB, LOGO):
        assert await client.execute("TTL", keys.blob("image", blob.key)) > 99_000
    await client.execute("UNLINK", keys.blob("image", LOGO.key))
    with pytest.raises(NotFound, match=LOGO.key):
        await jobs.requeue(DEFAULT_PROJECT, job.id)
    assert len([each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]) == 1, (
        "it can be requeued once the image is back"
    )
    await store_image(client, LOGO)
    assert (await jobs.requeue(DEFAULT_PROJECT, job.id)).state is JobState.QUEUED


async def test_a_late_job_whose_change_redis_refuses_is_quarantined_and_others_end(
    jobs: Jobs, redis: Any
) -> None:
    stuck = await submitted(jobs, timeout=0.01, webhook=Webhook(url="https://agency.example/hook"))
    late = await submitted(jobs, timeout=0.02)
    await redis.set(keys.WEBHOOKS_DUE, "not a sorted set")
    await asyncio.sleep(0.03)  # time is the subject
    assert await jobs.run_maintenance("me", lease=5)
    assert (await jobs.find(DEFAULT_PROJECT, late.id)).state is JobState.FAILED
    letters = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert stuck.id in {letter.job for letter in letters if letter.request is None}
    assert await redis.zcard(keys.JOBS_DEADLINES) == 0
