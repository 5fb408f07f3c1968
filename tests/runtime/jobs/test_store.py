"""Jobs in Redis: accepted, queued in turns, cancelled, requeued, counted."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import (
    KeyReused,
    NotFound,
    Overloaded,
)
from contracts.jobs import JOBS, Job, JobResult, JobState, Webhook
from contracts.methods import GROUP
from services.runtime.jobs.backlog import Backlog
from services.runtime.jobs.records import event_of
from services.runtime.jobs.store import IdempotencyKey, Jobs
from services.runtime.redis.client import RedisClient
from tests.runtime.jobs.helpers import (
    CRASHED,
    GOOD,
    MIN_CAPACITY,
    done,
    jobs_on,
    submitted,
    taken_from_stream,
    work_through,
)


async def test_a_record_expires_only_after_its_job_has_ended(
    redis: Any, client: RedisClient
) -> None:
    jobs = jobs_on(client, job_ttl=100)
    job = await submitted(jobs)
    record, events = f"darkroom:job:{job.id}", f"darkroom:job:{job.id}:log"
    assert await redis.ttl(record) == -1
    assert await redis.ttl(events) > 24 * 3600, "beyond the deadline, but not for ever"
    await work_through(jobs, redis)
    assert 90 < await redis.ttl(record) <= 100
    assert 90 < await redis.ttl(events) <= 100


async def test_ended_jobs_leave_nothing_but_records_and_events(jobs: Jobs, redis: Any) -> None:
    for number in range(30):
        await submitted(jobs, submitter=f"s{number % 3}", variants=1 + number % 3)
    await work_through(jobs, redis)
    kinds = Counter(key.decode().rpartition(":")[0] for key in await redis.keys("*"))
    assert kinds.pop("darkroom:image") == 1
    assert kinds.pop("darkroom:jobs:ended") >= 1, "the count of the last minute, which expires"
    names = {kind.replace("darkroom:job:", "") for kind in kinds}
    assert all(len(name) == 32 or name in {"darkroom:job", ""} for name in names), kinds
    assert await redis.xlen(JOBS) == 0


async def test_one_submitters_thousand_jobs_do_not_delay_anothers_first(
    jobs: Jobs, redis: Any
) -> None:
    for _ in range(1000):
        await submitted(jobs, submitter="many")
    single = await submitted(jobs, submitter="one")
    order = await work_through(jobs, redis)
    assert len(order) == 1001
    assert order.index(single.id) <= MIN_CAPACITY + 1


async def test_submitters_take_turns_and_their_jobs_keep_their_order(
    jobs: Jobs, redis: Any
) -> None:
    ids = {name: [(await submitted(jobs, submitter=name)).id for _ in range(40)] for name in "abc"}
    order = await work_through(jobs, redis)
    for name in "abc":
        assert [job for job in order if job in ids[name]] == ids[name]
    shared = order[MIN_CAPACITY:90]
    counts = [sum(job in ids[name] for job in shared) for name in "abc"]
    assert max(counts) - min(counts) <= MIN_CAPACITY


async def test_a_job_that_was_given_up_is_a_dead_letter_and_can_be_requeued(
    jobs: Jobs, redis: Any
) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    failed = done(await jobs.leases.add_result(running, JobResult(problem=CRASHED)))
    (letter,) = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert letter.request is not None
    assert (letter.job, letter.problem, letter.request.variants) == (
        failed.id,
        CRASHED,
        failed.variants,
    )
    await taken_from_stream(redis)
    back = await jobs.requeue(DEFAULT_PROJECT, failed.id)
    assert (back.state, back.results, back.problem, back.attempts) == ("queued", (), None, 0)
    assert await jobs.get(failed.id) == back
    assert [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)] == []
    assert await redis.ttl(f"darkroom:job:{failed.id}") == -1, "it is open again"
    assert await work_through(jobs, redis) == [failed.id]
    with pytest.raises(NotFound):
        await jobs.requeue(DEFAULT_PROJECT, failed.id)


async def test_an_idempotency_key_makes_one_job_for_two_simultaneous_requests(
    jobs: Jobs, redis: Any
) -> None:
    key = IdempotencyKey("mine", "this request")
    made = await asyncio.gather(*(submitted(jobs, key=key) for _ in range(30)))
    assert len({job.id for job in made}) == 1
    assert len(await work_through(jobs, redis)) == 1
    assert (await submitted(jobs, key=key)).state is JobState.SUCCEEDED, "the same job again"
    with pytest.raises(KeyReused):
        await submitted(jobs, key=IdempotencyKey("mine", "another request"))
    assert 86_000 < await redis.ttl("darkroom:idempotency:mine") <= 86_400


async def test_a_cancelled_job_is_given_to_no_worker(jobs: Jobs, redis: Any) -> None:
    waiting = [await submitted(jobs) for _ in range(MIN_CAPACITY + 3)]
    cancelled = await jobs.cancel(DEFAULT_PROJECT, waiting[-1].id)
    assert cancelled.state is JobState.CANCELLED
    assert (await jobs.cancel(DEFAULT_PROJECT, cancelled.id)).state is JobState.CANCELLED, (
        "again is no error"
    )
    assert await work_through(jobs, redis) == [job.id for job in waiting[:-1]]
    assert (await jobs.backlog()).queued == 0


async def test_a_full_queue_refuses_with_the_time_to_wait(redis: Any, client: RedisClient) -> None:
    jobs = jobs_on(client, max_queue=10)
    for _ in range(10):
        await submitted(jobs)
    with pytest.raises(Overloaded) as refused:
        await submitted(jobs)
    assert refused.value.retry_after == 1, "no job has waited for long, though none has ended"
    await work_through(jobs, redis)
    await submitted(jobs)


@pytest.mark.parametrize(
    ("age", "rate", "wait"),
    [
        (0.5, 1 / 60, 1),
        (0.5, 0, 1),
        (40.0, 1 / 60, 20),
        (40.0, 10, 10),
        (40.0, 1000, 1),
        (3600.0, 0, 60),
    ],
)
def test_a_full_queue_tells_at_most_half_of_the_time_that_its_first_job_has_waited(
    age: float, rate: float, wait: int
) -> None:
    assert Backlog(queued=99, running=0, later=0, age=age, rate=rate).wait == wait


async def test_a_queue_whose_first_job_is_too_old_refuses(redis: Any, client: RedisClient) -> None:
    jobs = jobs_on(client, max_queue_age=0.2)
    await submitted(jobs)
    await asyncio.sleep(0.3)  # time is the subject: the age of the first job
    with pytest.raises(Overloaded):
        await submitted(jobs)


async def test_the_end_of_a_job_with_a_webhook_queues_a_delivery(jobs: Jobs, redis: Any) -> None:
    job = await submitted(jobs, webhook=Webhook(url="https://agency.example/hook"))
    assert not await redis.exists("darkroom:webhooks")
    await work_through(jobs, redis)
    assert await redis.zrange("darkroom:webhooks", 0, -1) == [job.id.encode()]
    assert (await jobs.find(DEFAULT_PROJECT, job.id)).webhook == job.webhook


async def _next(jobs: Jobs) -> Job:
    assignment = await jobs.leases.take_next("a-worker")
    assert assignment is not None
    return done(assignment.job())


async def test_the_stream_holds_half_as_many_more_jobs_as_the_workers_have(
    jobs: Jobs, redis: Any
) -> None:
    for _ in range(40):
        await submitted(jobs)
    await redis.xgroup_create(JOBS, GROUP, id="0")
    taken = []
    for held in range(1, 13):
        taken.append(await _next(jobs))
        assert 1 <= await redis.xlen(JOBS) - held <= max(4 - held, 1, held // 2)
    for held in range(11, 0, -1):
        await jobs.leases.add_result(taken.pop(), GOOD)
        assert await redis.xlen(JOBS) - held >= max(4 - held, 1, held // 2)


async def test_a_job_among_many_costs_few_commands(jobs: Jobs, redis: Any) -> None:
    for _ in range(20):
        await submitted(jobs)
    await redis.xgroup_create(JOBS, GROUP, id="0")
    await redis.config_resetstat()
    await submitted(jobs)
    await jobs.leases.add_result(await _next(jobs), GOOD)
    used = await redis.info("commandstats")
    assert sum(command["calls"] for command in used.values()) <= 64
    assert used["cmdstat_evalsha"]["calls"] == 3


async def test_the_last_event_is_the_one_in_the_record(jobs: Jobs) -> None:
    job = await submitted(jobs)
    assert await jobs.last_events(DEFAULT_PROJECT, [job.id]) == {job.id: event_of(job)}
    running = done(await jobs.leases.start(job, "a-worker"))
    assert await jobs.last_events(DEFAULT_PROJECT, ["f" * 32, job.id]) == {
        job.id: event_of(running)
    }


async def test_the_backlog_counts_jobs(jobs: Jobs, redis: Any) -> None:
    for _ in range(7):
        await submitted(jobs)
    done(
        await jobs.leases.start(
            await jobs.find(DEFAULT_PROJECT, (await taken_from_stream(redis))[0]), "a-worker"
        )
    )
    outlook = await jobs.backlog()
    assert (outlook.queued, outlook.running, outlook.later) == (6, 1, 0)


async def test_a_cancelled_job_leaves_its_line_and_costs_no_turn(jobs: Jobs, redis: Any) -> None:
    cancelled = [await submitted(jobs, submitter="a") for _ in range(60)]
    others = [await submitted(jobs, submitter="b") for _ in range(60)]
    for job in cancelled[MIN_CAPACITY:]:
        await jobs.cancel(DEFAULT_PROJECT, job.id)
    assert await redis.exists("darkroom:jobs:line:a") == 0
    last = await submitted(jobs, submitter="a")
    order = await work_through(jobs, redis)
    assert order.index(last.id) <= 2 * MIN_CAPACITY
    assert set(order) == {job.id for job in (*cancelled[:MIN_CAPACITY], *others, last)}
