"""The job consumer: what passes is tried again, what doesn't ends the variant with a name."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from contracts.errors import Code
from contracts.imaging import Blob
from contracts.jobs import Job, JobRequest, JobState
from contracts.operations import Pipeline
from services.imaging.jobs import work
from services.imaging.settings import ImagingSettings
from services.runtime.connection import make_redis
from services.runtime.jobs import Jobs
from tests.processes import valkey

BLOB = Blob(key="0" * 64, media_type="image/jpeg", bytes=1)


class Breaking:
    """An executor in which everything raises the same."""

    def __init__(self, exc: Exception) -> None:
        self._exc = exc

    async def run(self, *args: object, timeout: float) -> None:
        raise self._exc


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A server of these tests' own, where no running worker takes their jobs."""
    with valkey() as running:
        yield str(running.connection_url)


@pytest.fixture
async def jobs(redis_url: str) -> AsyncIterator[Jobs]:
    redis = make_redis(settings := ImagingSettings(redis_url=redis_url))
    yield Jobs(redis, settings)
    await redis.connection_pool.disconnect()


async def worked_off(jobs: Jobs, exc: Exception) -> Job:
    job = await jobs.submit(BLOB, (Pipeline(),))
    request = JobRequest(id=job.id, source=BLOB, variants=job.variants)
    parts: Any = {"executor": Breaking(exc), "settings": ImagingSettings()}
    message: Any = None
    try:
        await work(request, message, worker_name="a-worker", jobs=jobs, **parts)
    finally:
        found = await jobs.get(job.id)
    assert found is not None
    return found


async def test_a_bug_ends_the_job_by_its_name_and_is_logged_once(jobs: Jobs) -> None:
    with capture_logs() as logs:
        job = await worked_off(jobs, ZeroDivisionError())
    assert job.state is JobState.FAILED
    assert job.problem is not None
    assert job.problem.code is Code.INTERNAL
    (line,) = [line for line in logs if "exc_info" in line]
    assert isinstance(line["exc_info"], ZeroDivisionError)


async def test_a_redis_that_is_away_leaves_the_job_to_be_taken_up_again(jobs: Jobs) -> None:
    with pytest.raises(RedisConnectionError):
        await worked_off(jobs, RedisConnectionError("away"))
