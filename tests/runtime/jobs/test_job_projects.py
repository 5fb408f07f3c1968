"""Jobs, their events and their dead letters are those of one project: another one finds none."""

from collections.abc import Awaitable
from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import NotFound
from contracts.jobs import DEAD_LETTERS, JOBS, Job, JobState
from contracts.operations.overlays import Watermark
from contracts.operations.pipeline import Pipeline
from services.runtime.jobs.store import Jobs
from services.runtime.jobs.webhook_queue import WebhookQueue
from services.runtime.messaging.consumer import Received
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from tests.runtime.jobs.helpers import BLOB, CRASHED, done, jobs_on, submitted
from tests.stored_images import store_image

WEBSITE = "website"
BOTH = (DEFAULT_PROJECT, WEBSITE)
THEIRS = BLOB.model_copy(update={"key": "b" * 64})


async def submit(jobs: Jobs, project: str = WEBSITE, **more: Any) -> Job:
    """Submit a job of `website`, or of the default project."""
    if project == DEFAULT_PROJECT:
        return await submitted(jobs, **more)
    await store_image(jobs._redis, THEIRS, project=project)
    more = {"submitter": "me", **more}
    return await jobs.submit(THEIRS.key, (Pipeline(),), project=project, **more)


async def crashed(jobs: Jobs, job: Job) -> Job:
    """Have a job fail for good."""
    running = done(await jobs.leases.start(job, "a-worker"))
    change = jobs._transitions.change(running, state=JobState.FAILED, problem=CRASHED)
    return done(await change)


async def is_missing(call: Awaitable[object]) -> str:
    """Return what a call says of a job that its project has not."""
    with pytest.raises(NotFound) as refused:
        await call
    return refused.value.detail


async def test_another_project_gets_the_answer_of_a_missing_job(jobs: Jobs) -> None:
    job, unknown = await submit(jobs), "f" * 32
    for call in (jobs.find, jobs.cancel, jobs.requeue):
        theirs = await is_missing(call(DEFAULT_PROJECT, job.id))
        assert theirs == await is_missing(call(DEFAULT_PROJECT, unknown))
    assert await jobs.find(WEBSITE, job.id) == job
    assert await jobs.last_events(DEFAULT_PROJECT, [job.id]) == {}
    assert [*await jobs.last_events(WEBSITE, [job.id])] == [job.id]
    assert (await jobs.cancel(WEBSITE, job.id)).state is JobState.CANCELLED


async def test_a_record_that_nobody_can_read_tells_another_project_nothing(
    jobs: Jobs, redis: Any
) -> None:
    job = await submit(jobs)
    await redis.hset(keys.job(job.id), "created_at", "never")
    assert "no job with this id" in await is_missing(jobs.find(DEFAULT_PROJECT, job.id))


@pytest.mark.parametrize("project", BOTH)
async def test_a_job_takes_images_of_its_own_project_alone(jobs: Jobs, project: str) -> None:
    await store_image(jobs._redis, BLOB)
    await store_image(jobs._redis, THEIRS, project=WEBSITE)
    own, other = (BLOB, THEIRS) if project == DEFAULT_PROJECT else (THEIRS, BLOB)
    stamped = Pipeline(operations=(Watermark(image=other.key),))
    for source, pipeline in ((other, Pipeline()), (own, stamped)):
        detail = await is_missing(
            jobs.submit(source.key, (pipeline,), submitter="me", project=project)
        )
        assert detail == f"The image {other.key} is not stored, or has expired; upload it again."
    await jobs.submit(own.key, (Pipeline(),), submitter="me", project=project)


async def test_open_jobs_are_found_among_many_of_another_project(jobs: Jobs, redis: Any) -> None:
    others = [(await submit(jobs, DEFAULT_PROJECT, submitter="x")).id]
    score = await redis.zscore(keys.JOBS_QUEUED, others[0])
    crowd = {f"{number:032x}": score for number in range(1200)}
    await redis.zadd(keys.JOBS_QUEUED, crowd)
    own = [await submit(jobs) for _ in range(3)]
    # Jobs of the same millisecond would be in the order of their ids, which are random.
    await redis.zadd(keys.JOBS_QUEUED, {job.id: score + 1 + n for n, job in enumerate(own)})
    running = done(await jobs.leases.start(own[2], "a-worker"))

    found = [job async for job in jobs.open(WEBSITE, 10)]
    assert found == [running, own[0], own[1]]
    assert [job.id async for job in jobs.open(WEBSITE, 2)] == [own[2].id, own[0].id]
    # Ids without a record are in the index of the default project, and are no jobs.
    assert [job.id async for job in jobs.open(DEFAULT_PROJECT, 2000)] == others


async def test_dead_letters_are_listed_read_removed_and_requeued_by_their_project(
    jobs: Jobs, redis: Any
) -> None:
    letters = jobs.dead_letters
    for project in BOTH:
        await crashed(jobs, await submit(jobs, project))
    for project, other in (BOTH, BOTH[::-1]):
        (letter,) = [each async for each in letters.latest(project, 10)]
        assert letter.id is not None
        assert letter.job is not None
        for name in (letter.job, "f" * 32):
            for call in (letters.raw, letters.remove):
                assert "no such dead letter" in await is_missing(call(other, name))
        assert (await letters.raw(project, letter.id)).complete
        assert (await jobs.requeue(project, letter.job)).state is JobState.QUEUED
        assert [each async for each in letters.latest(project, 10)] == []

    again = await crashed(jobs, await jobs.find(WEBSITE, (await submit(jobs)).id))
    assert 0 < await redis.ttl(f"{DEAD_LETTERS}:{WEBSITE}") <= 2 * 24 * 3600
    await letters.remove(WEBSITE, again.id)
    assert await redis.xlen(f"{DEAD_LETTERS}:{WEBSITE}") == 0


async def test_old_dead_letters_of_a_project_are_trimmed(client: RedisClient, redis: Any) -> None:
    jobs, stream = jobs_on(client, job_ttl=10), f"{DEAD_LETTERS}:{WEBSITE}"
    for number in range(500):
        await redis.xadd(stream, {"old": "x"}, id=f"{number + 1}-0")
    await crashed(jobs, await submit(jobs))
    assert await redis.xlen(stream) < 200


async def test_a_quarantined_job_is_a_dead_letter_of_its_project(jobs: Jobs, redis: Any) -> None:
    job = await submit(jobs)
    await redis.hset(keys.job(job.id), "created_at", "never")
    entry = {b"job": job.id.encode(), b"v": b"2"}
    received = Received(JOBS, entry, await redis.xadd(JOBS, entry))
    await jobs.dead_letters.quarantine(job.id, CRASHED, received=received)

    assert [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)] == []
    (letter,) = [each async for each in jobs.dead_letters.latest(WEBSITE, 10)]
    raw = await jobs.dead_letters.raw(WEBSITE, job.id)
    assert raw.entry == entry
    assert raw.record[b"project"] == WEBSITE.encode()
    await jobs.dead_letters.remove(WEBSITE, letter.id or "")
    assert await redis.keys(f"{keys.QUARANTINE}*") == []


async def test_the_line_of_a_job_is_not_the_submitter_that_clients_see(
    jobs: Jobs, redis: Any
) -> None:
    await redis.rpush(f"{keys.JOB_LINE}website.k1", "f" * 32)  # others wait: the job stays there
    job = await submit(jobs, submitter="agency-7", line="website.k1")
    assert (await jobs.find(WEBSITE, job.id)).submitter == job.submitter == "agency-7"
    assert job.id.encode() in await redis.lrange(f"{keys.JOB_LINE}website.k1", 0, -1)
    assert await redis.exists(f"{keys.JOB_LINE}agency-7") == 0
    await jobs.cancel(WEBSITE, job.id)
    assert job.id.encode() not in await redis.lrange(f"{keys.JOB_LINE}website.k1", 0, -1)


async def test_a_receiver_that_wants_nothing_more_of_a_project_gets_others(
    client: RedisClient,
) -> None:
    queue, url = WebhookQueue(client, lease=60), "https://agency.example/darkroom"
    for project, other in (BOTH, BOTH[::-1]):
        await queue.disable(project, url, ttl=60)
        assert await queue.is_disabled(project, url)
        assert await queue.is_disabled(other, url) is (project == WEBSITE)
