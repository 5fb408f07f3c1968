"""Jobs in Redis: each change has its event, is allowed in its state, and needs the lease."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.errors import (
    Conflict,
    ImageUnreadable,
    InvalidRequest,
    KeyReused,
    NotFound,
    Overloaded,
    WorkerCrashed,
)
from contracts.imaging import Blob
from contracts.jobs import DEAD_LETTERS, EVENTS, JOBS, Job, JobRequest, JobResult, JobState, Webhook
from contracts.methods import GROUP
from contracts.operations.pipeline import Pipeline
from services.runtime.jobs import store as runtime_jobs
from services.runtime.jobs.maintenance import JobMaintenance
from services.runtime.jobs.records import event_of
from services.runtime.jobs.store import IdempotencyKey, Jobs
from services.runtime.messaging.envelope import body_of
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.stream_entries import ACKNOWLEDGE
from tests.runtime.echo import settings_for

BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)
GOOD = JobResult(blob=BLOB, width=1, height=1)
CRASHED = WorkerCrashed("It died of it.").failure()
TORN = ImageUnreadable("It is torn.").failure()
MIN_CAPACITY = 4  # entries of the stream while no worker has reported its capacity


def jobs_on(client: RedisClient, **changes: float) -> Jobs:
    return Jobs(client, settings_for("redis://nowhere", **changes))


@pytest.fixture
def jobs(client: RedisClient) -> Jobs:
    return jobs_on(client)


async def submitted(jobs: Jobs, *, submitter: str = "me", variants: int = 1, **more: Any) -> Job:
    return await jobs.submit(BLOB, (Pipeline(),) * variants, submitter=submitter, **more)


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
        running = done(await jobs.leases.start(await jobs.find(ids[0]), "a-worker"))
        while running.state is JobState.RUNNING:
            running = done(await jobs.leases.add_result(running, GOOD))
        order += ids
    return order


async def test_every_change_publishes_one_event_in_order(jobs: Jobs) -> None:
    job = await submitted(jobs, variants=2)
    running = done(await jobs.leases.start(job, "a-worker"))
    one = done(await jobs.leases.add_result(running, GOOD))
    end = done(await jobs.leases.add_result(one, GOOD))
    events = await jobs.events(job.id, "0-0")
    assert [(event.state, event.done) for event in events] == [
        ("queued", 0),
        ("running", 0),
        ("running", 1),
        ("succeeded", 2),
    ]
    assert [event.id for event in events] == [job.event, running.event, one.event, end.event]
    assert await jobs.events(job.id, str(one.event)) == events[3:]
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
        await jobs.cancel(end.id)
    assert await jobs.get(end.id) == end


async def test_a_job_succeeds_with_one_good_variant_and_fails_without(jobs: Jobs) -> None:
    running = done(await jobs.leases.start(await submitted(jobs, variants=2), "a-worker"))
    mixed = done(await jobs.leases.add_result(running, JobResult(problem=TORN)))
    assert done(await jobs.leases.add_result(mixed, GOOD)).state is JobState.SUCCEEDED
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    failed = done(await jobs.leases.add_result(running, JobResult(problem=TORN)))
    assert (failed.state, failed.problem) == (JobState.FAILED, TORN)
    assert await jobs.dead_letters(10) == [], "it would fail again"


async def test_a_record_expires_only_after_its_job_has_ended(
    redis: Any, client: RedisClient
) -> None:
    jobs = jobs_on(client, job_ttl=100)
    job = await submitted(jobs)
    record, events = f"darkroom:job:{job.id}", f"darkroom:job:{job.id}:events"
    assert [await redis.ttl(record), await redis.ttl(events)] == [-1, -1]
    await work_through(jobs, redis)
    assert 90 < await redis.ttl(record) <= 100
    assert 90 < await redis.ttl(events) <= 100


async def test_ended_jobs_leave_nothing_but_records_and_events(jobs: Jobs, redis: Any) -> None:
    for number in range(30):
        await submitted(jobs, submitter=f"s{number % 3}", variants=1 + number % 3)
    await work_through(jobs, redis)
    kinds = Counter(key.decode().rpartition(":")[0] for key in await redis.keys("*"))
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


async def test_a_retry_is_queued_when_it_is_due_and_names_its_problem(
    jobs: Jobs, redis: Any
) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    await taken_from_stream(redis)
    later = done(await jobs.leases.retry(running, CRASHED, delay=0.4))
    assert (later.state, later.problem, later.attempts) == (JobState.QUEUED, CRASHED, 1)
    assert later.not_before is not None
    assert later.not_before > datetime.now(UTC)
    assert (await jobs.backlog()).later == 1
    assert await jobs.run_maintenance("me", lease=5)
    assert await taken_from_stream(redis) == []
    await asyncio.sleep(0.4)  # time is the subject: the retry's delay
    await jobs.run_maintenance("me", lease=5)
    assert await taken_from_stream(redis) == [running.id]
    again = done(await jobs.leases.start(await jobs.find(running.id), "another"))
    assert (again.attempts, again.not_before) == (2, None)


async def test_a_job_that_was_given_up_is_a_dead_letter_and_can_be_requeued(
    jobs: Jobs, redis: Any
) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    failed = done(await jobs.leases.add_result(running, JobResult(problem=CRASHED)))
    (letter,) = await jobs.dead_letters(10)
    assert (letter.job, letter.problem, letter.request.variants) == (
        failed.id,
        CRASHED,
        failed.variants,
    )
    await taken_from_stream(redis)
    back = await jobs.requeue(failed.id)
    assert (back.state, back.results, back.problem, back.attempts) == ("queued", (), None, 0)
    assert await jobs.get(failed.id) == back
    assert await jobs.dead_letters(10) == []
    assert await redis.ttl(f"darkroom:job:{failed.id}") == -1, "it is open again"
    assert await work_through(jobs, redis) == [failed.id]
    with pytest.raises(NotFound):
        await jobs.requeue(failed.id)


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
    cancelled = await jobs.cancel(waiting[-1].id)
    assert cancelled.state is JobState.CANCELLED
    assert (await jobs.cancel(cancelled.id)).state is JobState.CANCELLED, "again is no error"
    assert await work_through(jobs, redis) == [job.id for job in waiting[:-1]]
    assert (await jobs.backlog()).queued == 0


async def test_cancelling_a_running_job_ends_its_lease(jobs: Jobs) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    await jobs.cancel(running.id)
    assert await jobs.leases.add_result(running, GOOD) is None
    assert (await jobs.find(running.id)).state is JobState.CANCELLED


async def test_a_full_queue_refuses_with_the_time_to_wait(redis: Any, client: RedisClient) -> None:
    jobs = jobs_on(client, max_queue=10)
    for _ in range(10):
        await submitted(jobs)
    with pytest.raises(Overloaded) as refused:
        await submitted(jobs)
    assert refused.value.retry_after is not None
    assert 1 <= refused.value.retry_after <= 60
    await work_through(jobs, redis)
    await submitted(jobs)


async def test_a_queue_whose_first_job_is_too_old_refuses(redis: Any, client: RedisClient) -> None:
    jobs = jobs_on(client, max_queue_age=0.2)
    await submitted(jobs)
    await asyncio.sleep(0.3)  # time is the subject: the age of the first job
    with pytest.raises(Overloaded):
        await submitted(jobs)


async def test_orphaned_jobs_are_queued_again(jobs: Jobs, redis: Any) -> None:
    queued, taken = await submitted(jobs), await submitted(jobs)
    running = done(await jobs.leases.start(taken, "a-worker"))
    for _ in range(MIN_CAPACITY):
        await submitted(jobs)
    assert await jobs.requeue_orphans(age=0) == [], "no job is orphaned yet"
    await redis.delete(JOBS)
    lost = await jobs.requeue_orphans(age=0)
    assert {queued.id, taken.id} <= {job.id for job in lost}
    assert await jobs.leases.add_result(running, GOOD) is None, "the lease is another's now"
    order = await work_through(jobs, redis)
    assert len(order) == len(set(order)) == MIN_CAPACITY + 2


@pytest.mark.serial
async def test_one_process_leads_the_maintenance_until_its_lease_ends(jobs: Jobs) -> None:
    assert await jobs.run_maintenance("first", lease=0.3)
    assert not await jobs.run_maintenance("second", lease=0.3)
    assert await jobs.run_maintenance("first", lease=0.3)
    await asyncio.sleep(0.4)  # time is the subject: the lease of the first
    assert await jobs.run_maintenance("second", lease=0.3)


async def test_the_maintenance_goes_on_after_a_lost_connection(jobs: Jobs, redis: Any) -> None:
    maintenance = JobMaintenance("me", jobs)
    await maintenance.start()
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    await taken_from_stream(redis)
    await jobs.leases.retry(running, CRASHED, delay=0.1)
    await redis.client_kill_filter(_type="normal", skipme=True)
    async with asyncio.timeout(5):
        while await taken_from_stream(redis) != [running.id]:  # noqa: ASYNC110  Redis tells nobody
            await asyncio.sleep(0.1)
    await maintenance.stop()


async def test_the_end_of_a_job_with_a_webhook_queues_a_delivery(jobs: Jobs, redis: Any) -> None:
    job = await submitted(jobs, webhook=Webhook(url="https://agency.example/hook"))
    assert not await redis.exists("darkroom:webhooks")
    await work_through(jobs, redis)
    assert await redis.zrange("darkroom:webhooks", 0, -1) == [job.id.encode()]
    assert (await jobs.find(job.id)).webhook == job.webhook


async def test_the_stream_holds_half_as_many_more_jobs_as_the_workers_have(
    jobs: Jobs, redis: Any
) -> None:
    for _ in range(40):
        await submitted(jobs)
    await redis.xgroup_create(JOBS, GROUP, id="0")
    for taken in range(1, 13):
        assert await jobs.leases.take_next("a-worker") is not None
        assert await redis.xlen(JOBS) - taken == max(4 - taken, 1, taken // 2)


async def test_the_last_event_is_the_one_in_the_record(jobs: Jobs) -> None:
    job = await submitted(jobs)
    assert await jobs.last_event(job.id) == event_of(job)
    running = done(await jobs.leases.start(job, "a-worker"))
    assert await jobs.last_event(job.id) == event_of(running)
    assert await jobs.last_event("f" * 32) is None


async def test_a_recent_backlog_costs_no_round_trip(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_jobs, "_RECENT", 60.0)
    first = await jobs.recent_backlog()
    await submitted(jobs)
    assert await jobs.recent_backlog() is first
    monkeypatch.setattr(runtime_jobs, "_RECENT", 0.0)
    assert (await jobs.recent_backlog()).queued == first.queued + 1


async def test_the_backlog_counts_jobs_and_estimates_the_wait(jobs: Jobs, redis: Any) -> None:
    assert (await jobs.backlog()).wait == 1
    for _ in range(7):
        await submitted(jobs)
    done(await jobs.leases.start(await jobs.find((await taken_from_stream(redis))[0]), "a-worker"))
    outlook = await jobs.backlog()
    assert (outlook.queued, outlook.running, outlook.later) == (6, 1, 0)
    assert outlook.wait == 8, "a second each while nothing is known"


async def test_trimming_deletes_old_events_and_dead_letters(
    redis: Any, client: RedisClient
) -> None:
    jobs = jobs_on(client, job_ttl=10)
    for stream in (EVENTS, DEAD_LETTERS):
        for number in range(500):
            await redis.xadd(stream, {"old": "x"}, id=f"{number + 1}-0")
    await jobs.trim()
    assert [await redis.xlen(EVENTS), await redis.xlen(DEAD_LETTERS)] == [0, 0]


async def test_a_cancelled_job_leaves_its_line_and_costs_no_turn(jobs: Jobs, redis: Any) -> None:
    cancelled = [await submitted(jobs, submitter="a") for _ in range(60)]
    others = [await submitted(jobs, submitter="b") for _ in range(60)]
    for job in cancelled[MIN_CAPACITY:]:
        await jobs.cancel(job.id)
    assert await redis.exists("darkroom:jobs:line:a") == 0
    last = await submitted(jobs, submitter="a")
    order = await work_through(jobs, redis)
    assert order.index(last.id) <= 2 * MIN_CAPACITY
    assert set(order) == {job.id for job in (*cancelled[:MIN_CAPACITY], *others, last)}


async def test_a_job_with_a_living_worker_is_no_orphan(jobs: Jobs, redis: Any) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "living"))
    await redis.delete(JOBS)
    await redis.zadd(keys.responders(JOBS), {"living": 10**15})
    assert await jobs.requeue_orphans(age=0) == []
    await redis.zrem(keys.responders(JOBS), "living")
    assert [job.id for job in await jobs.requeue_orphans(age=0)] == [running.id]


async def test_an_unreadable_record_does_not_stop_the_maintenance(jobs: Jobs, redis: Any) -> None:
    strange = await submitted(jobs)
    await redis.hset(f"darkroom:job:{strange.id}", "attempts", "unheard of")
    sound = await submitted(jobs)
    await redis.delete(JOBS)
    assert [job.id for job in await jobs.requeue_orphans(age=0)] == [sound.id]
    assert [job.id for job in await jobs.open(10)] == [sound.id]
    with pytest.raises(InvalidRequest):
        await jobs.get(strange.id)


async def test_only_the_consumer_that_has_an_entry_can_acknowledge_it(
    redis: Any, client: RedisClient
) -> None:
    await redis.xgroup_create("test.stream", "group", mkstream=True)
    entry = await redis.xadd("test.stream", {"a": "b"})
    await redis.xreadgroup("group", "first", {"test.stream": ">"})
    await redis.xclaim("test.stream", "group", "second", 0, [entry])
    for consumer, left in (("first", 1), ("second", 0)):
        await client.script(ACKNOWLEDGE, ["test.stream"], ["group", entry, consumer])
        assert await redis.xlen("test.stream") == left
