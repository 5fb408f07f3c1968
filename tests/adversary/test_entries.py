"""Attacks on the entries of streams: each one is handled by one worker, and each one ends."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from redis import Redis

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Code
from contracts.imaging import Blob
from contracts.jobs import OPEN_STATES, Job, JobState
from contracts.operations.notation import parse_pipeline
from services.runtime.jobs.store import Jobs
from services.runtime.redis import keys
from services.runtime.redis.client import make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.images import Images
from services.runtime.storage.records import Kind
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.metrics import Metrics
from tests.adversary.conftest import Record
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream, valkey
from tests.stored_images import store_image

pytestmark = pytest.mark.timeout(200)

ENV = {
    "DARKROOM_SLOTS": "1",
    "DARKROOM_HEARTBEAT_INTERVAL": "0.1",
    "DARKROOM_HEARTBEAT_TTL": "0.4",
    "DARKROOM_MAX_DELIVERIES": "3",
}


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A server where no other worker takes the jobs of these attacks."""
    with valkey() as running:
        yield str(running.connection_url)


@pytest.fixture(scope="module")
def worker(redis_url: str) -> Iterator[Service]:
    """A worker with one slot, which reclaims entries that were idle for 0.4 seconds."""
    with faststream("imaging", redis_url, env=ENV) as service:
        yield service


class Bench:
    """A gateway's side of jobs, without the gateway."""

    def __init__(self, redis_url: str) -> None:
        settings = RuntimeSettings(redis_url=redis_url)
        self.redis = make_redis(settings)
        self.jobs = Jobs(self.redis, settings)
        self.images = Images(make_storage(settings, self.redis, Metrics()))

    async def submit(self, source: Blob, *operations: str) -> Job:
        return await self.jobs.submit(
            source.key, (parse_pipeline(operations),), submitter="stranger"
        )

    async def end_of(self, job: Job, *, seconds: float) -> Job:
        """Return the job when it has ended, or as it is after `seconds`."""
        deadline = time.monotonic() + seconds
        while (job := await self.jobs.find(DEFAULT_PROJECT, job.id)).state in OPEN_STATES:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
        return job


@pytest.fixture
async def bench(redis_url: str) -> AsyncIterator[Bench]:
    made = Bench(redis_url)
    yield made
    await made.redis.close()


async def test_a_worker_takes_no_entry_over_from_itself(
    worker: Service, bench: Bench, record_attack: Record
) -> None:
    """Renders that take longer than a heartbeat lives, one after the other."""
    picture = encoded(scenery(400, 300), "PNG")
    stored = await bench.images.keep_bytes(picture, ttl=600)
    slow = ["resize:width=5500,enlarge=true", "blur:100"]
    jobs = [await bench.submit(stored.blob, *slow, f"blur:{100 - n}") for n in range(3)]
    ended = [await bench.end_of(job, seconds=60) for job in jobs]
    again = worker.output().count('"reclaimed"')
    record_attack(
        "Jobs that take longer than a heartbeat lives, three in a row on one slot.",
        "The worker took the entries over from itself: 8 of 8. They filled its capacity, and a "
        "slot idled 7 s with 7 jobs queued.",
        f"{again} of {len(jobs)} were taken over.",
    )
    assert {job.state for job in ended} == {JobState.SUCCEEDED}
    assert again == 0


async def test_a_job_whose_handling_always_raises_ends(
    worker: Service, bench: Bench, redis_url: str, record_attack: Record
) -> None:
    """The image's key has a wrong type, so that every command for it is refused."""
    blob = Blob(key="e" * 64, media_type="image/png", bytes=1)
    await store_image(bench.redis, blob)
    started = time.monotonic()
    worker.signal(signal.SIGSTOP)
    job = await bench.submit(blob, "grayscale")
    with Redis.from_url(redis_url) as plain:
        plain.set(keys.blob(Kind.IMAGE, blob.key), "not a hash")
    worker.signal(signal.SIGCONT)
    job = await bench.end_of(job, seconds=40)
    seconds = time.monotonic() - started
    output = worker.output()
    record_attack(
        "The key of a job's image has a wrong type, so that each attempt raises.",
        "18 attempts in 72 s, and no end; the record says that the first attempt runs.",
        f"{job.state} ({job.problem.code if job.problem else None}) after {job.attempts} "
        f"deliveries and {seconds:.1f} s.",
    )
    assert (job.state, job.attempts) == (JobState.FAILED, 3)
    assert job.problem is not None
    assert job.problem.code is Code.INTERNAL
    assert "WRONGTYPE" in output
    assert "Traceback" in output
