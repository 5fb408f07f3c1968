"""Failures of jobs: a transient one is retried, any other ends the variant with its code."""

from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import (
    Code,
    DeadlineExceeded,
    ImageUnreadable,
    StoreFull,
    Unavailable,
    UnsupportedFormat,
    WorkerCrashed,
)
from contracts.jobs import JobState
from services.runtime.storage.stores.health import StoreState
from tests.imaging.jobs.worker_bench import Bench, FakeBatcher


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
