"""The job runner: one worker a job, fair turns, cancellation, hand-back and the limit of jobs."""

import asyncio
from functools import partial

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.control import Cancel
from contracts.jobs import JOBS, JobState
from contracts.operations.pipeline import Pipeline
from services.imaging.pool.adaptive_limit import AdaptiveLimit
from services.runtime.redis import keys
from services.runtime.rpc.discarded import Cancelled
from tests.attempts import attempts
from tests.imaging.jobs.worker_bench import BLOB, Bench, FakeBatcher, message_of, request_of
from tests.processes import alive_until


async def test_a_second_entry_leaves_the_job_to_the_worker_that_runs_it(bench: Bench) -> None:
    job = await bench.submit()
    running = await bench.jobs.leases.start(job, "living")
    await bench.redis.execute("ZADD", keys.responders(JOBS), alive_until(), "living")
    assert await bench.run(job, batcher := FakeBatcher()) == running
    assert batcher.runs == 0


async def test_a_job_with_many_variants_yields_to_the_next_in_line(bench: Bench) -> None:
    long = await bench.submit(variants=20)
    for _ in range(10):
        await bench.jobs.submit(BLOB.key, (Pipeline(),), submitter="other")
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


async def test_short_jobs_raise_the_limit_and_a_long_one_lowers_it(bench: Bench) -> None:
    for attempt in attempts():
        bench.limit = AdaptiveLimit(1, 16)
        with attempt:  # a job is long if a busy machine makes it so
            for _ in range(2):
                await bench.run(await bench.submit(), FakeBatcher())
            assert bench.limit.free == 3
            await bench.run(await bench.submit(), FakeBatcher(partial(asyncio.sleep, 0.15)))
            assert bench.limit.free == 2
