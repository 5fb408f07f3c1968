"""Job records: every change with its event, in the states that allow it, by who has the job."""

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
ROOM = 4  # what the stream takes while no worker says how much it has


def jobs_on(client: RedisClient, **changes: float) -> Jobs:
    return Jobs(client, settings_for("redis://nowhere", **changes))


@pytest.fixture
def jobs(client: RedisClient) -> Jobs:
    return jobs_on(client)


async def submitted(jobs: Jobs, *, submitter: str = "me", variants: int = 1, **more: Any) -> Job:
    return await jobs.submit(BLOB, (Pipeline(),) * variants, submitter=submitter, **more)


def done(job: Job | None) -> Job:
    """A change that nobody else came before."""
    assert job is not None
    return job


async def handed_out(redis: Any, most: int = 1000) -> list[str]:
    """The ids of the jobs in the stream, which are taken out of it."""
    entries = await redis.xrange(JOBS, count=most)
    if entries:
        await redis.xdel(JOBS, *(entry for entry, _ in entries))
    bodies = [body_of(fields[b"__data__"]) for _, fields in entries]
    return [JobRequest.model_validate_json(body).id for body in bodies]


async def work_off(jobs: Jobs, redis: Any) -> list[str]:
    """Do every job that is handed out, one after the other; their ids in order."""
    order: list[str] = []
    while ids := await handed_out(redis, 1):
        running = done(await jobs.leases.start(await jobs.find(ids[0]), "a-worker"))
        while running.state is JobState.RUNNING:
            running = done(await jobs.leases.add_result(running, GOOD))
        order += ids
    return order


async def test_every_change_is_told_once_in_order_and_as_it_is_written(jobs: Jobs) -> None:
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


async def test_whoever_lost_a_job_can_not_write(jobs: Jobs) -> None:
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


async def test_of_two_that_take_up_a_job_one_has_it(jobs: Jobs) -> None:
    job = await submitted(jobs)
    took = await asyncio.gather(*(jobs.leases.start(job, f"worker-{n}") for n in range(20)))
    assert len([one for one in took if one is not None]) == 1


async def test_what_has_ended_does_not_change_again(jobs: Jobs) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    end = done(await jobs.leases.add_result(running, GOOD))
    assert await jobs.leases.start(end, "another") is None
    assert await jobs.leases.hand_back(end) is None
    with pytest.raises(Conflict, match="succeeded already"):
        await jobs.cancel(end.id)
    assert await jobs.get(end.id) == end


async def test_one_good_variant_is_a_success_and_none_a_failure(jobs: Jobs) -> None:
    running = done(await jobs.leases.start(await submitted(jobs, variants=2), "a-worker"))
    mixed = done(await jobs.leases.add_result(running, JobResult(problem=TORN)))
    assert done(await jobs.leases.add_result(mixed, GOOD)).state is JobState.SUCCEEDED
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    failed = done(await jobs.leases.add_result(running, JobResult(problem=TORN)))
    assert (failed.state, failed.problem) == (JobState.FAILED, TORN)
    assert await jobs.dead_letters(10) == [], "it would fail again"


async def test_a_record_lives_as_long_as_its_job_is_open_and_then_for_its_time(
    redis: Any, client: RedisClient
) -> None:
    jobs = jobs_on(client, job_ttl=100)
    job = await submitted(jobs)
    record, events = f"darkroom:job:{job.id}", f"darkroom:job:{job.id}:events"
    assert [await redis.ttl(record), await redis.ttl(events)] == [-1, -1]
    await work_off(jobs, redis)
    assert 90 < await redis.ttl(record) <= 100
    assert 90 < await redis.ttl(events) <= 100


async def test_nothing_but_records_and_events_is_left_of_jobs_that_have_ended(
    jobs: Jobs, redis: Any
) -> None:
    for number in range(30):
        await submitted(jobs, submitter=f"s{number % 3}", variants=1 + number % 3)
    await work_off(jobs, redis)
    kinds = Counter(key.decode().rpartition(":")[0] for key in await redis.keys("*"))
    assert kinds.pop("darkroom:jobs:ended") >= 1, "the count of the last minute, which expires"
    names = {kind.replace("darkroom:job:", "") for kind in kinds}
    assert all(len(name) == 32 or name in {"darkroom:job", ""} for name in names), kinds
    assert await redis.xlen(JOBS) == 0


async def test_the_next_submitters_first_job_does_not_wait_for_a_thousand(
    jobs: Jobs, redis: Any
) -> None:
    for _ in range(1000):
        await submitted(jobs, submitter="many")
    single = await submitted(jobs, submitter="one")
    order = await work_off(jobs, redis)
    assert len(order) == 1001
    assert order.index(single.id) <= ROOM + 1


async def test_submitters_take_turns_and_each_ones_jobs_keep_their_order(
    jobs: Jobs, redis: Any
) -> None:
    ids = {name: [(await submitted(jobs, submitter=name)).id for _ in range(40)] for name in "abc"}
    order = await work_off(jobs, redis)
    for name in "abc":
        assert [job for job in order if job in ids[name]] == ids[name]
    shared = order[ROOM:90]
    counts = [sum(job in ids[name] for job in shared) for name in "abc"]
    assert max(counts) - min(counts) <= ROOM


async def test_a_long_job_lets_others_only_if_there_are_any(jobs: Jobs, redis: Any) -> None:
    long = done(await jobs.leases.start(await submitted(jobs, variants=60), "a-worker"))
    assert await jobs.leases.yield_turn(long) is None
    for _ in range(ROOM + 1):
        await submitted(jobs, submitter="other")
    queued = done(await jobs.leases.yield_turn(long))
    assert (queued.state, queued.attempts) == (JobState.QUEUED, 0)


async def test_what_is_given_back_comes_first(jobs: Jobs, redis: Any) -> None:
    first = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    for _ in range(20):
        await submitted(jobs)
    await handed_out(redis)
    back = done(await jobs.leases.hand_back(first))
    assert back.attempts == 0
    assert (await handed_out(redis))[0] == first.id


async def test_a_retry_comes_when_it_is_due_and_says_why(jobs: Jobs, redis: Any) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    await handed_out(redis)
    later = done(await jobs.leases.retry(running, CRASHED, delay=0.4))
    assert (later.state, later.problem, later.attempts) == (JobState.QUEUED, CRASHED, 1)
    assert later.not_before is not None
    assert later.not_before > datetime.now(UTC)
    assert (await jobs.backlog()).later == 1
    assert await jobs.run_maintenance("me", lease=5)
    assert await handed_out(redis) == []
    await asyncio.sleep(0.4)
    await jobs.run_maintenance("me", lease=5)
    assert await handed_out(redis) == [running.id]
    again = done(await jobs.leases.start(await jobs.find(running.id), "another"))
    assert (again.attempts, again.not_before) == (2, None)


async def test_what_was_given_up_is_a_dead_letter_and_can_be_brought_back(
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
    await handed_out(redis)
    back = await jobs.requeue(failed.id)
    assert (back.state, back.results, back.problem, back.attempts) == ("queued", (), None, 0)
    assert await jobs.get(failed.id) == back
    assert await jobs.dead_letters(10) == []
    assert await redis.ttl(f"darkroom:job:{failed.id}") == -1, "it is open again"
    assert await work_off(jobs, redis) == [failed.id]
    with pytest.raises(NotFound):
        await jobs.requeue(failed.id)


async def test_a_key_makes_one_job_even_for_two_at_the_same_instant(jobs: Jobs, redis: Any) -> None:
    key = IdempotencyKey("mine", "this request")
    made = await asyncio.gather(*(submitted(jobs, key=key) for _ in range(30)))
    assert len({job.id for job in made}) == 1
    assert len(await work_off(jobs, redis)) == 1
    assert (await submitted(jobs, key=key)).state is JobState.SUCCEEDED, "the same job again"
    with pytest.raises(KeyReused):
        await submitted(jobs, key=IdempotencyKey("mine", "another request"))
    assert 86_000 < await redis.ttl("darkroom:idempotency:mine") <= 86_400


async def test_a_cancelled_job_is_never_handed_out(jobs: Jobs, redis: Any) -> None:
    waiting = [await submitted(jobs) for _ in range(ROOM + 3)]
    cancelled = await jobs.cancel(waiting[-1].id)
    assert cancelled.state is JobState.CANCELLED
    assert (await jobs.cancel(cancelled.id)).state is JobState.CANCELLED, "again is no error"
    assert await work_off(jobs, redis) == [job.id for job in waiting[:-1]]
    assert (await jobs.backlog()).queued == 0


async def test_cancelling_takes_a_running_job_from_its_worker(jobs: Jobs) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    await jobs.cancel(running.id)
    assert await jobs.leases.add_result(running, GOOD) is None
    assert (await jobs.find(running.id)).state is JobState.CANCELLED


async def test_past_its_count_the_queue_refuses_and_says_when_to_come(
    redis: Any, client: RedisClient
) -> None:
    jobs = jobs_on(client, max_queue=10)
    for _ in range(10):
        await submitted(jobs)
    with pytest.raises(Overloaded) as refused:
        await submitted(jobs)
    assert refused.value.retry_after is not None
    assert 1 <= refused.value.retry_after <= 60
    await work_off(jobs, redis)
    await submitted(jobs)


async def test_past_its_age_too(redis: Any, client: RedisClient) -> None:
    jobs = jobs_on(client, max_queue_age=0.2)
    await submitted(jobs)
    await asyncio.sleep(0.3)
    with pytest.raises(Overloaded):
        await submitted(jobs)


async def test_orphans_are_lined_up_again(jobs: Jobs, redis: Any) -> None:
    queued, taken = await submitted(jobs), await submitted(jobs)
    running = done(await jobs.leases.start(taken, "a-worker"))
    for _ in range(ROOM):
        await submitted(jobs)
    assert await jobs.requeue_orphans(age=0) == [], "nothing is lost yet"
    await redis.delete(JOBS)
    lost = await jobs.requeue_orphans(age=0)
    assert {queued.id, taken.id} <= {job.id for job in lost}
    assert await jobs.leases.add_result(running, GOOD) is None, "it is another's now"
    order = await work_off(jobs, redis)
    assert len(order) == len(set(order)) == ROOM + 2


async def test_one_process_keeps_house_and_another_takes_over(jobs: Jobs) -> None:
    assert await jobs.run_maintenance("first", lease=0.3)
    assert not await jobs.run_maintenance("second", lease=0.3)
    assert await jobs.run_maintenance("first", lease=0.3)
    await asyncio.sleep(0.4)
    assert await jobs.run_maintenance("second", lease=0.3)


async def test_a_housekeeper_survives_a_redis_that_is_away(jobs: Jobs, redis: Any) -> None:
    housekeeper = JobMaintenance("me", jobs)
    await housekeeper.start()
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    await handed_out(redis)
    await jobs.leases.retry(running, CRASHED, delay=0.1)
    await redis.client_kill_filter(_type="normal", skipme=True)
    async with asyncio.timeout(5):
        while await handed_out(redis) != [running.id]:  # noqa: ASYNC110  Redis tells nobody
            await asyncio.sleep(0.1)
    await housekeeper.stop()


async def test_a_job_with_a_webhook_is_put_down_for_delivery_when_it_ends(
    jobs: Jobs, redis: Any
) -> None:
    job = await submitted(jobs, webhook=Webhook(url="https://agency.example/hook"))
    assert not await redis.exists("darkroom:webhooks")
    await work_off(jobs, redis)
    assert await redis.zrange("darkroom:webhooks", 0, -1) == [job.id.encode()]
    assert (await jobs.find(job.id)).webhook == job.webhook


async def test_half_as_many_again_are_there_as_the_workers_have_in_hand(
    jobs: Jobs, redis: Any
) -> None:
    for _ in range(40):
        await submitted(jobs)
    await redis.xgroup_create(JOBS, GROUP, id="0")
    for taken in range(1, 13):
        assert await jobs.leases.take_next("a-worker") is not None
        assert await redis.xlen(JOBS) - taken == max(4 - taken, 1, taken // 2)


async def test_what_was_told_last_is_the_event_of_the_record(jobs: Jobs) -> None:
    job = await submitted(jobs)
    assert await jobs.last_event(job.id) == event_of(job)
    running = done(await jobs.leases.start(job, "a-worker"))
    assert await jobs.last_event(job.id) == event_of(running)
    assert await jobs.last_event("f" * 32) is None


async def test_a_recent_backlog_is_asked_for_once(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_jobs, "_RECENT", 60.0)
    first = await jobs.recent_backlog()
    await submitted(jobs)
    assert await jobs.recent_backlog() is first
    monkeypatch.setattr(runtime_jobs, "_RECENT", 0.0)
    assert (await jobs.recent_backlog()).queued == first.queued + 1


async def test_the_outlook_counts_and_estimates(jobs: Jobs, redis: Any) -> None:
    assert (await jobs.backlog()).wait == 1
    for _ in range(7):
        await submitted(jobs)
    done(await jobs.leases.start(await jobs.find((await handed_out(redis))[0]), "a-worker"))
    outlook = await jobs.backlog()
    assert (outlook.queued, outlook.running, outlook.later) == (6, 1, 0)
    assert outlook.wait == 8, "a second each while nothing is known"


async def test_old_events_and_dead_letters_are_forgotten(redis: Any, client: RedisClient) -> None:
    jobs = jobs_on(client, job_ttl=10)
    for stream in (EVENTS, DEAD_LETTERS):
        for number in range(500):
            await redis.xadd(stream, {"old": "x"}, id=f"{number + 1}-0")
    await jobs.trim()
    assert [await redis.xlen(EVENTS), await redis.xlen(DEAD_LETTERS)] == [0, 0]


async def test_a_cancelled_job_leaves_its_place_and_costs_nobody_a_turn(
    jobs: Jobs, redis: Any
) -> None:
    cancelled = [await submitted(jobs, submitter="a") for _ in range(60)]
    others = [await submitted(jobs, submitter="b") for _ in range(60)]
    for job in cancelled[ROOM:]:
        await jobs.cancel(job.id)
    assert await redis.exists("darkroom:jobs:line:a") == 0
    last = await submitted(jobs, submitter="a")
    order = await work_off(jobs, redis)
    assert order.index(last.id) <= 2 * ROOM
    assert set(order) == {job.id for job in (*cancelled[:ROOM], *others, last)}


async def test_a_job_whose_worker_lives_is_no_orphan(jobs: Jobs, redis: Any) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "living"))
    await redis.delete(JOBS)
    await redis.zadd(keys.responders(JOBS), {"living": 10**15})
    assert await jobs.requeue_orphans(age=0) == []
    await redis.zrem(keys.responders(JOBS), "living")
    assert [job.id for job in await jobs.requeue_orphans(age=0)] == [running.id]


async def test_a_record_that_can_not_be_read_stops_nothing(jobs: Jobs, redis: Any) -> None:
    strange = await submitted(jobs)
    await redis.hset(f"darkroom:job:{strange.id}", "attempts", "unheard of")
    sound = await submitted(jobs)
    await redis.delete(JOBS)
    assert [job.id for job in await jobs.requeue_orphans(age=0)] == [sound.id]
    assert [job.id for job in await jobs.open(10)] == [sound.id]
    with pytest.raises(InvalidRequest):
        await jobs.get(strange.id)


async def test_a_stale_holder_does_not_take_an_entry_from_its_new_one(
    redis: Any, client: RedisClient
) -> None:
    """What was taken over is acknowledged by who has it now."""
    await redis.xgroup_create("test.stream", "group", mkstream=True)
    entry = await redis.xadd("test.stream", {"a": "b"})
    await redis.xreadgroup("group", "first", {"test.stream": ">"})
    await redis.xclaim("test.stream", "group", "second", 0, [entry])
    for consumer, left in (("first", 1), ("second", 0)):
        await client.script(ACKNOWLEDGE, ["test.stream"], ["group", entry, consumer])
        assert await redis.xlen("test.stream") == left
