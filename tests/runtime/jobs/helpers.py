"""Results, and short ways to submit, take and do jobs, for the tests of jobs."""

from typing import Any

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import (
    ImageUnreadable,
    WorkerCrashed,
)
from contracts.imaging import Blob
from contracts.jobs import JOBS, Job, JobRequest, JobResult, JobState
from contracts.operations.pipeline import Pipeline
from services.runtime.jobs.store import Jobs
from services.runtime.messaging.envelope import body_of
from services.runtime.redis.client import RedisClient
from tests.runtime.echo import settings_for
from tests.stored_images import store_image

BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)
GOOD = JobResult(blob=BLOB, width=1, height=1)
CRASHED = WorkerCrashed("It died of it.").failure()
TORN = ImageUnreadable("It is torn.").failure()
MIN_CAPACITY = 4  # entries of the stream while no worker has reported its capacity


def jobs_on(client: RedisClient, **changes: float) -> Jobs:
    return Jobs(client, settings_for("redis://nowhere", **changes))


async def submitted(jobs: Jobs, *, submitter: str = "me", variants: int = 1, **more: Any) -> Job:
    await store_image(jobs._redis, BLOB)
    return await jobs.submit(BLOB.key, (Pipeline(),) * variants, submitter=submitter, **more)


def done(job: Job | None) -> Job:
    """Return the job after a change that must have succeeded."""
    assert job is not None
    return job


async def taken_from_stream(redis: Any, most: int = 1000) -> list[str]:
    """Remove the jobs from the stream and return their ids."""
    entries = await redis.xrange(JOBS, count=most)
    if entries:
        await redis.xdel(JOBS, *(entry for entry, _ in entries))
    bodies = [body_of(fields[b"__data__"]) for _, fields in entries]
    return [JobRequest.model_validate_json(body).id for body in bodies]


async def work_through(jobs: Jobs, redis: Any) -> list[str]:
    """Do every job of the stream, one after the other, and return their ids in order."""
    order: list[str] = []
    while ids := await taken_from_stream(redis, 1):
        running = done(
            await jobs.leases.start(await jobs.find(DEFAULT_PROJECT, ids[0]), "a-worker")
        )
        while running.state is JobState.RUNNING:
            running = done(await jobs.leases.add_result(running, GOOD))
        order += ids
    return order
