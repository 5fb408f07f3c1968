"""A worker's side of jobs: each change needs the lease, and publishes its event."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import (
    Conflict,
)
from contracts.jobs import JobResult, JobState
from services.runtime.jobs.store import Jobs
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.stream_entries import ACKNOWLEDGE
from tests.runtime.jobs.helpers import (
    CRASHED,
    GOOD,
    MIN_CAPACITY,
    TORN,
    done,
    submitted,
    taken_from_stream,
)


async def test_every_change_publishes_one_event_in_order(jobs: Jobs) -> None:
    job = await submitted(jobs, variants=2)
    running = done(await jobs.leases.start(job, "a-worker"))
    one = done(await jobs.leases.add_result(running, GOOD))
    end = done(await jobs.leases.add_result(one, GOOD))
    events = await jobs.events([job.id], "0-0")
    assert [(event.state, event.done) for event in events] == [
        ("queued", 0),
        ("running", 0),
        ("running", 1),
        ("succeeded", 2),
    ]
    assert [event.id for event in events] == [job.event, running.event, one.event, end.event]
    assert await jobs.events([job.id], str(one.event)) == events[3:]
    assert await jobs.get(job.id) == end


async def test_a_worker_that_lost_its_lease_cannot_write(jobs: Jobs) -> None:
    first = done(await jobs.leases.start(await submitted(jobs), "slow"))
    second = done(await jobs.leases.start(first, "quick"))
    assert (second.attempts, second.token) == (2, first.token + 1)
    for change in (
        jobs.leases.add_result(first, GOOD),
        jobs.leases.hand_back(first),
        jobs.leases.retry(first, CRASHED, delay=1),
        jobs.leases.yield_turn(first),
        jobs.leases.start(first, "slow"),
    ):
        assert await change is None
    assert await jobs.get(first.id) == second


async def test_of_many_workers_that_start_a_job_one_gets_the_lease(jobs: Jobs) -> None:
    job = await submitted(jobs)
    took = await asyncio.gather(*(jobs.leases.start(job, f"worker-{n}") for n in range(20)))
    assert len([one for one in took if one is not None]) == 1


async def test_an_ended_job_never_changes(jobs: Jobs) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    end = done(await jobs.leases.add_result(running, GOOD))
    assert await jobs.leases.start(end, "another") is None
    assert await jobs.leases.hand_back(end) is None
    with pytest.raises(Conflict, match="succeeded already"):
        await jobs.cancel(DEFAULT_PROJECT, end.id)
    assert await jobs.get(end.id) == end


async def test_a_job_succeeds_with_one_good_variant_and_fails_without(jobs: Jobs) -> None:
    running = done(await jobs.leases.start(await submitted(jobs, variants=2), "a-worker"))
    mixed = done(await jobs.leases.add_result(running, JobResult(problem=TORN)))
    assert done(await jobs.leases.add_result(mixed, GOOD)).state is JobState.SUCCEEDED
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    failed = done(await jobs.leases.add_result(running, JobResult(problem=TORN)))
    assert (failed.state, failed.problem) == (JobState.FAILED, TORN)
    assert [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)] == [], (
        "it would fail again"
    )


async def test_a_long_job_yields_its_turn_only_when_another_job_waits(
    jobs: Jobs, redis: Any
) -> None:
    long = done(await jobs.leases.start(await submitted(jobs, variants=60), "a-worker"))
    assert await jobs.leases.yield_turn(long) is None
    for _ in range(MIN_CAPACITY + 1):
        await submitted(jobs, submitter="other")
    queued = done(await jobs.leases.yield_turn(long))
    assert (queued.state, queued.attempts) == (JobState.QUEUED, 0)


async def test_a_job_that_is_handed_back_is_the_next(jobs: Jobs, redis: Any) -> None:
    first = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    for _ in range(20):
        await submitted(jobs)
    await taken_from_stream(redis)
    back = done(await jobs.leases.hand_back(first))
    assert back.attempts == 0
    assert (await taken_from_stream(redis))[0] == first.id


async def test_a_job_that_is_handed_back_for_later_counts_no_attempt(
    jobs: Jobs, redis: Any
) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    later = done(await jobs.leases.hand_back(running, delay=0.1))
    assert (later.state, later.attempts, later.problem) == (JobState.QUEUED, 0, None)
    assert later.not_before is not None
    await taken_from_stream(redis)
    await asyncio.sleep(0.1)  # time is the subject: the delay
    await jobs.run_maintenance("me", lease=5)
    assert await taken_from_stream(redis) == [running.id]


async def test_a_retry_is_queued_when_it_is_due_and_names_its_problem(
    jobs: Jobs, redis: Any
) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    await taken_from_stream(redis)
    later = done(await jobs.leases.retry(running, CRASHED, delay=60))
    assert (later.state, later.problem, later.attempts) == (JobState.QUEUED, CRASHED, 1)
    assert later.not_before is not None
    assert later.not_before > datetime.now(UTC)
    assert (await jobs.backlog()).later == 1
    assert await jobs.run_maintenance("me", lease=5)
    assert await taken_from_stream(redis) == []
    due = later.not_before.timestamp() * 1000
    assert await redis.zscore(keys.JOBS_LATER, running.id) == pytest.approx(due, abs=30_000)
    await redis.zadd(keys.JOBS_LATER, {running.id: 1})  # as a minute later
    await jobs.run_maintenance("me", lease=5)
    assert await taken_from_stream(redis) == [running.id]
    again = done(await jobs.leases.start(await jobs.find(DEFAULT_PROJECT, running.id), "another"))
    assert (again.attempts, again.not_before) == (2, None)


async def test_cancelling_a_running_job_ends_its_lease(jobs: Jobs) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    await jobs.cancel(DEFAULT_PROJECT, running.id)
    assert await jobs.leases.add_result(running, GOOD) is None
    assert (await jobs.find(DEFAULT_PROJECT, running.id)).state is JobState.CANCELLED


async def test_only_the_consumer_that_has_an_entry_can_acknowledge_it(
    redis: Any, client: RedisClient
) -> None:
    await redis.xgroup_create("test.stream", "group", mkstream=True)
    entries = [await redis.xadd("test.stream", {"a": "b"}) for _ in range(3)]
    await redis.xreadgroup("group", "first", {"test.stream": ">"})
    await redis.xclaim("test.stream", "group", "second", 0, entries[:2])
    for consumer, left in (("first", entries[:2]), ("second", []), ("second", [])):
        await client.script(ACKNOWLEDGE, ["test.stream"], ["group", consumer, *entries])
        assert [entry for entry, _ in await redis.xrange("test.stream")] == left
