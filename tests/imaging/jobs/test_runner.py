"""The job runner: transient failures are retried, others end the variant with their code."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faststream.redis import RedisMessage
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from contracts.access.keys import DEFAULT_PROJECT
from contracts.control import Cancel
from contracts.errors import (
    Code,
    DeadlineExceeded,
    ImageUnreadable,
    ServiceError,
    StoreFull,
    Unavailable,
    UnsupportedFormat,
    WorkerCrashed,
)
from contracts.imaging import Blob, Rendered
from contracts.jobs import JOBS, Job, JobRequest, JobState
from contracts.methods import GROUP
from contracts.operations.pipeline import Pipeline
from services.imaging.jobs.capacity import AdaptiveLimit
from services.imaging.jobs.outages import Outages
from services.imaging.jobs.runner import JobRunner
from services.imaging.settings import ImagingSettings
from services.runtime.jobs.store import Jobs
from services.runtime.liveness.heartbeat import Heartbeat, Workers
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.envelope import body_of
from services.runtime.messaging.stream_consumer import StreamConsumer
from services.runtime.redis import keys
from services.runtime.redis.client import make_redis
from services.runtime.redis.stream_entries import entries_read
from services.runtime.redis.watch import StoreWatch
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.rpc.discarded import Cancelled
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage
from services.runtime.storage.stores.health import StoreState
from services.runtime.telemetry.metrics import Metrics
from tests.processes import alive_until, valkey
from tests.stored_images import store_image

BLOB = Blob(key="0" * 64, media_type="image/jpeg", bytes=1)
DONE = Rendered(blob=BLOB, width=1, height=1, decode_ms=0, operations_ms=0, encode_ms=0)


class FakeBatcher:
    """A batcher whose renders raise or await the outcomes given here, in turn; None succeeds."""

    def __init__(self, *outcomes: Exception | Callable[[], Any] | None) -> None:
        self._outcomes = list(outcomes)
        self.runs = 0

    async def render(self, *_: object, alone: bool, keep_source: bool) -> Rendered:
        self.runs += 1
        outcome = self._outcomes.pop(0) if self._outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            await outcome()
        return DONE


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Yield the URL of a server where no other worker takes the jobs of these tests."""
    with valkey() as running:
        yield str(running.connection_url)


class FakeWatch:
    """Records what a watch over Redis is told."""

    def __init__(self) -> None:
        self.full: list[ServiceError] = []
        self.pauses = 0

    def report_full(self, failure: ServiceError) -> None:
        self.full.append(failure)

    def pause(self, *, longest: float = 0) -> None:
        self.pauses += 1


class Bench:
    """The parts of a worker, to run jobs with."""

    def __init__(self, redis_url: str) -> None:
        self.settings = ImagingSettings(redis_url=redis_url, retry_base=0.01)
        self.redis = make_redis(self.settings)
        self.jobs = Jobs(self.redis, self.settings)
        self.cancellations = Cancellations()
        self.limit = AdaptiveLimit(1)
        self.watch = FakeWatch()
        self.store: Any = None

    def runner(self, batcher: FakeBatcher, name: str = "a-worker") -> JobRunner:
        workers = Workers(self.redis)
        renditions = Renditions(make_storage(self.settings, self.redis, Metrics()))
        parts: Any = (self.cancellations, renditions, batcher, self.settings, self.limit, Clock())
        parts += (Outages(cast(StoreWatch, self.watch), self.store),)
        return JobRunner(name, self.jobs, workers, *parts)

    async def submit(self, variants: int = 1, *, timeout: float | None = None) -> Job:
        pipelines = (Pipeline(),) * variants
        return await self.jobs.submit(BLOB, pipelines, submitter="me", timeout=timeout)

    async def deliver(self, name: str = "a-worker") -> RedisMessage:
        """Deliver the next entry of the stream, or one that is not there, as FastStream does."""
        with suppress(ResponseError):
            await self.redis.execute("XGROUP", "CREATE", JOBS, GROUP, 0, "MKSTREAM")
        read = ("XREADGROUP", "GROUP", GROUP, name, "COUNT", 1, "STREAMS", JOBS, ">")
        entries = [entry for entry, _ in entries_read(await self.redis.execute(*read))] or [b"0-0"]
        return message_of(entries[0])

    async def run(self, job: Job, batcher: FakeBatcher, name: str = "a-worker") -> Job:
        """Run the job alone on one worker, and return it as it is then."""
        await self.runner(batcher, name).run(request_of(job), await self.deliver(name))
        return await self.jobs.find(DEFAULT_PROJECT, job.id)

    async def work_through(self, batcher: FakeBatcher) -> None:
        """Run every job of the stream by a real consumer on one worker, until none is left."""
        runner, name = self.runner(batcher), "a-worker"
        heartbeat = Heartbeat(self.redis, name, self.settings, Clock(), capacity=1, report=dict)
        consumer = StreamConsumer(
            JOBS,
            GROUP,
            name,
            self.limit,
            heartbeat,
            redis=self.redis,
            graceful_timeout=5,
            max_deliveries=1,
            give_up=runner.give_up,
            take_next=runner.take_next,
        )

        async def deliver(received: Received) -> None:
            assert isinstance(received.data, dict)
            assert received.entry is not None
            request = JobRequest.model_validate_json(body_of(received.data[b"__data__"]))
            await runner.run(request, message_of(received.entry))

        await consumer.start(deliver)
        async with asyncio.timeout(10):
            while await self.redis.execute("XLEN", JOBS):  # noqa: ASYNC110  Redis tells nobody
                await asyncio.sleep(0.01)
        await consumer.stop()


def message_of(entry: bytes) -> RedisMessage:
    raw = {"type": "stream", "channel": JOBS, "message_ids": [entry], "data": {}}
    return RedisMessage(raw_message=cast(Any, raw), body=b"")


def request_of(job: Job) -> JobRequest:
    return JobRequest(id=job.id, source=job.source, variants=job.variants)


@pytest.fixture
async def bench(redis_url: str) -> AsyncIterator[Bench]:
    bench = Bench(redis_url)
    await bench.redis.execute("FLUSHALL")
    await store_image(bench.redis, BLOB)
    yield bench
    await bench.redis.close()


async def test_a_full_store_leaves_the_job_in_the_queue_and_counts_no_attempt(
    bench: Bench,
) -> None:
    full = StoreFull("Redis's memory is full.")

    job = await bench.run(await bench.submit(), FakeBatcher(full))

    assert (job.state, job.attempts, job.results) == (JobState.QUEUED, 0, ())
    assert [failure.code for failure in bench.watch.full] == [Code.STORE_FULL]


async def test_a_store_that_is_away_leaves_the_job_in_the_queue_and_counts_no_attempt(
    bench: Bench,
) -> None:
    away = Unavailable("The disk of the store does not work.", retry_after=5)
    bench.store = SimpleNamespace(state=StoreState(failure=away))
    job = await bench.run(await bench.submit(), FakeBatcher(away))
    assert (job.state, job.attempts, job.results) == (JobState.QUEUED, 0, ())
    assert (bench.watch.pauses, bench.watch.full) == (1, [])


async def test_a_full_store_of_images_is_no_full_redis(bench: Bench) -> None:
    full = StoreFull("The disk of the store is full.", retry_after=10)
    bench.store = SimpleNamespace(state=StoreState(failure=full))
    job = await bench.run(await bench.submit(), FakeBatcher(full))
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert (bench.watch.pauses, bench.watch.full) == (1, [])


async def test_another_unavailable_is_an_attempt(bench: Bench) -> None:
    bench.store = SimpleNamespace(state=StoreState())
    stopped = Unavailable("The only worker with this format has stopped.", retry_after=2)
    job = await bench.run(await bench.submit(), FakeBatcher(stopped))
    assert (job.state, job.attempts, bench.watch.pauses) == (JobState.QUEUED, 1, 0)


async def test_a_bug_fails_the_job_as_internal_and_is_logged_once(bench: Bench) -> None:
    with capture_logs() as logs:
        job = await bench.run(await bench.submit(), FakeBatcher(ZeroDivisionError()))
    assert job.state is JobState.FAILED
    assert job.problem is not None
    assert job.problem.code is Code.INTERNAL
    (line,) = [line for line in logs if "exc_info" in line]
    assert isinstance(line["exc_info"], ZeroDivisionError)
    (letter,) = [each async for each in bench.jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert letter.job == job.id, "it may succeed once the bug is fixed"


async def test_without_redis_a_job_is_left_to_be_taken_again(bench: Bench) -> None:
    job = await bench.submit()
    with pytest.raises(RedisConnectionError):
        await bench.run(job, FakeBatcher(RedisConnectionError("away")))
    again = await bench.run(job, FakeBatcher())
    assert (again.state, again.attempts) == (JobState.SUCCEEDED, 1), "an outage is no attempt"


@pytest.mark.parametrize("transient", [WorkerCrashed("died"), DeadlineExceeded("late")])
async def test_a_transient_failure_is_retried_until_the_limit(
    bench: Bench, transient: Exception
) -> None:
    job = await bench.submit()
    for attempt in (1, 2):
        job = await bench.run(job, FakeBatcher(transient))
        assert (job.state, job.attempts) == (JobState.QUEUED, attempt)
        assert job.problem is not None
        assert job.not_before is not None
    job = await bench.run(job, FakeBatcher(transient))
    assert job.state is JobState.FAILED
    (letter,) = [each async for each in bench.jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert (letter.job, letter.attempts) == (job.id, 3)


async def test_a_format_that_no_worker_reads_yet_is_tried_again(bench: Bench) -> None:
    refused = UnsupportedFormat("No running worker reads JPEG.")
    job = await bench.submit()
    for state in (JobState.QUEUED, JobState.QUEUED, JobState.FAILED):
        job = await bench.run(job, FakeBatcher(refused))
        assert job.state is state


async def test_an_unreadable_image_fails_the_variants_that_cannot_do_without(bench: Bench) -> None:
    torn = ImageUnreadable("torn")
    job = await bench.run(await bench.submit(variants=3), FakeBatcher(torn, None, torn))
    assert job.state is JobState.SUCCEEDED
    assert [result.problem is None for result in job.results] == [False, True, False]


async def test_a_variant_that_fails_for_good_leaves_the_others_to_be_rendered(bench: Bench) -> None:
    job = await bench.submit(variants=3)
    died = WorkerCrashed("died")
    job = await bench.run(job, FakeBatcher(None, died))
    assert (len(job.results), job.attempts) == (1, 1)
    job = await bench.run(job, FakeBatcher(died))
    batcher = FakeBatcher(died)
    job = await bench.run(job, batcher)
    assert job.state is JobState.SUCCEEDED
    assert [result.problem is None for result in job.results] == [True, False, True]
    assert batcher.runs == 2, "a variant with a result is not rendered again"


async def test_a_job_fails_when_too_many_of_its_workers_died(bench: Bench) -> None:
    job = await bench.submit()
    for number in range(3):
        taken = await bench.jobs.leases.start(
            await bench.jobs.find(DEFAULT_PROJECT, job.id), f"dead-{number}"
        )
        assert taken is not None
    job = await bench.run(job, batcher := FakeBatcher())
    assert (job.state, batcher.runs) == (JobState.FAILED, 0)
    (letter,) = [each async for each in bench.jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert letter.problem.detail == "Given up: 3 workers died of it."


async def test_a_second_entry_leaves_the_job_to_the_worker_that_runs_it(bench: Bench) -> None:
    job = await bench.submit()
    running = await bench.jobs.leases.start(job, "living")
    await bench.redis.execute("ZADD", keys.responders(JOBS), alive_until(), "living")
    assert await bench.run(job, batcher := FakeBatcher()) == running
    assert batcher.runs == 0


async def test_a_job_with_many_variants_yields_to_the_next_in_line(bench: Bench) -> None:
    long = await bench.submit(variants=20)
    for _ in range(10):
        await bench.jobs.submit(BLOB, (Pipeline(),), submitter="other")
    job = await bench.run(long, batcher := FakeBatcher())
    assert (job.state, len(job.results), batcher.runs) == (JobState.QUEUED, 8, 8)


async def test_a_cancelled_job_stops_running(bench: Bench) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    job = await bench.submit()
    runner = bench.runner(FakeBatcher(forever))
    running = asyncio.create_task(runner.run(request_of(job), await bench.deliver()))
    await asyncio.wait_for(begun.wait(), 5)
    await bench.jobs.cancel(DEFAULT_PROJECT, job.id)
    bench.cancellations.cancel(Cancel(subject=job.id))
    with pytest.raises(Cancelled):
        await asyncio.wait_for(running, 5)
    assert stopped.is_set()
    assert (await bench.jobs.find(DEFAULT_PROJECT, job.id)).state is JobState.CANCELLED


async def test_a_worker_that_stops_hands_its_job_back(bench: Bench) -> None:
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    job = await bench.submit()
    runner = bench.runner(FakeBatcher(forever))
    running = asyncio.create_task(runner.run(request_of(job), await bench.deliver()))
    await asyncio.wait_for(begun.wait(), 5)
    running.cancel()
    await asyncio.wait([running], timeout=5)
    back = await bench.jobs.find(DEFAULT_PROJECT, job.id)
    assert (back.state, back.attempts, back.worker) == (JobState.QUEUED, 0, None)


async def test_a_consumer_runs_all_the_jobs_of_the_stream(bench: Bench) -> None:
    jobs = [await bench.submit() for _ in range(20)]
    await bench.work_through(batcher := FakeBatcher())
    states = {(await bench.jobs.find(DEFAULT_PROJECT, job.id)).state for job in jobs}
    assert (states, batcher.runs) == ({JobState.SUCCEEDED}, 20)
    assert await bench.redis.execute("XLEN", JOBS) == 0


async def test_of_the_entries_that_follow_only_open_jobs_run_and_all_are_acknowledged(
    bench: Bench,
) -> None:
    cancelled, taken, kept, back = [await bench.submit() for _ in range(4)]
    await bench.jobs.cancel(DEFAULT_PROJECT, cancelled.id)
    await bench.jobs.leases.start(taken, "living")
    await bench.redis.execute("ZADD", keys.responders(JOBS), alive_until(), "living")
    tried = await bench.jobs.leases.start(back, "another")
    assert tried is not None
    assert await bench.jobs.leases.hand_back(tried), "this makes a second entry"
    await bench.work_through(batcher := FakeBatcher())
    states = [
        (await bench.jobs.find(DEFAULT_PROJECT, job.id)).state
        for job in (cancelled, taken, kept, back)
    ]
    assert states == ["cancelled", "running", "succeeded", "succeeded"]
    assert batcher.runs == 2
    assert await bench.redis.execute("XLEN", JOBS) == 0


async def test_a_second_entry_of_a_job_that_runs_here_is_not_run(bench: Bench) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go_on.wait()

    job = await bench.submit()
    runner, message = bench.runner(batcher := FakeBatcher(wait)), await bench.deliver()
    first = asyncio.create_task(runner.run(request_of(job), message))
    await asyncio.wait_for(begun.wait(), 5)
    await asyncio.wait_for(runner.run(request_of(job), message_of(b"7-0")), 5)
    go_on.set()
    await asyncio.wait_for(first, 5)
    assert (batcher.runs, (await bench.jobs.find(DEFAULT_PROJECT, job.id)).state) == (
        1,
        JobState.SUCCEEDED,
    )


async def test_a_worker_that_drains_takes_no_further_job(bench: Bench) -> None:
    job, runner = await bench.submit(), bench.runner(FakeBatcher())
    await bench.deliver()
    runner.drain()
    assert await runner.take_next() is None
    assert (await bench.jobs.find(DEFAULT_PROJECT, job.id)).state is JobState.QUEUED


async def test_a_job_whose_handling_always_raises_fails_and_can_be_requeued(bench: Bench) -> None:
    job = await bench.submit()
    await bench.work_through(FakeBatcher(ResponseError("WRONGTYPE of an image's key")))
    failed = await bench.jobs.find(DEFAULT_PROJECT, job.id)
    assert failed.problem is not None
    assert (failed.state, failed.problem.code) == (JobState.FAILED, Code.INTERNAL)
    assert "ResponseError" in failed.problem.detail
    (letter,) = [each async for each in bench.jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert (letter.job, letter.attempts) == (job.id, 1)
    assert (await bench.jobs.requeue(DEFAULT_PROJECT, job.id)).state is JobState.QUEUED


async def test_short_jobs_raise_the_limit_and_a_long_one_lowers_it(bench: Bench) -> None:
    for _ in range(2):
        await bench.run(await bench.submit(), FakeBatcher())
    assert bench.limit.free == 3
    await bench.run(await bench.submit(), FakeBatcher(partial(asyncio.sleep, 0.15)))
    assert bench.limit.free == 2
