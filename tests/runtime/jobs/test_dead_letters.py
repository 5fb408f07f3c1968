"""Dead letters: what nobody can read is listed, fetched as it is stored, and removed."""

from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Code, InvalidRequest, NotFound
from contracts.jobs import DEAD_LETTERS, EVENTS, JOBS, JobResult, JobState, Webhook
from contracts.methods import GROUP
from services.runtime.jobs.store import Jobs
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.unreadable import UnknownVersion
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from tests.runtime.jobs.helpers import CRASHED, done, jobs_on, submitted

UNREADABLE = InvalidRequest("not a JobRequest")


async def received(redis: Any) -> Received:
    """The next entry of the stream, given to `a-worker`."""
    if not await redis.exists(JOBS) or not await redis.xinfo_groups(JOBS):
        await redis.xgroup_create(JOBS, GROUP, id="0", mkstream=True)
    ((_, [(entry, fields)]),) = await redis.xreadgroup(GROUP, "a-worker", {JOBS: ">"}, count=1)
    return Received(JOBS, fields, entry)


async def test_a_damaged_record_leaves_every_queue_and_does_not_close_it(
    redis: Any, client: RedisClient
) -> None:
    jobs = jobs_on(client, max_queue_age=0.001)
    job = await submitted(jobs)
    await redis.hset(keys.job(job.id), "created_at", "never")
    await jobs.dead_letters.give_up(await received(redis), UNREADABLE, worker="a-worker")
    backlog = await jobs.backlog()
    assert (backlog.queued, backlog.running, backlog.later, backlog.age) == (0, 0, 0, 0)
    assert await redis.xlen(JOBS) == 0
    last = (await jobs.last_events(DEFAULT_PROJECT, [job.id])).get(job.id)
    assert last is not None
    assert (last.state, last.problem and last.problem.code) == (JobState.FAILED, Code.INTERNAL)
    assert 0 < await redis.ttl(keys.job(job.id)) <= 24 * 3600
    await submitted(jobs)


async def test_an_entry_without_a_job_is_shown_as_it_was_and_removed(
    jobs: Jobs, redis: Any
) -> None:
    await redis.xadd(JOBS, {"some": b"\xff\x00", "job": "../../etc"})
    await jobs.dead_letters.give_up(await received(redis), UNREADABLE, worker="a-worker")
    (letter,) = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert letter.id is not None
    assert (letter.job, letter.request) == (None, None)
    raw = await jobs.dead_letters.raw(DEFAULT_PROJECT, letter.id)
    assert raw.entry == {b"some": b"\xff\x00", b"job": b"../../etc"}
    assert (raw.record, raw.complete) == ({}, True)
    await jobs.dead_letters.remove(DEFAULT_PROJECT, letter.id)
    assert [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)] == []
    assert await redis.keys(f"{keys.QUARANTINE}*") == []
    with pytest.raises(NotFound):
        await jobs.dead_letters.raw(DEFAULT_PROJECT, letter.id)
    with pytest.raises(NotFound):
        await jobs.dead_letters.remove(DEFAULT_PROJECT, letter.id)


async def test_letters_are_listed_from_the_latest_one_on(jobs: Jobs, redis: Any) -> None:
    for entry in ("a", "b", "c"):
        await redis.xadd(JOBS, {"some": entry})
        await jobs.dead_letters.give_up(await received(redis), UNREADABLE, worker="a-worker")
    ids = [str(each.id) async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert len(ids) == 3
    assert ids == sorted(ids, reverse=True)
    assert [str(each.id) async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 2)] == ids[:2]


async def test_what_is_shown_of_a_letter_is_bounded(jobs: Jobs, redis: Any) -> None:
    await redis.xadd(JOBS, {"small": b"x", "large": bytes(3 << 20)})
    await jobs.dead_letters.give_up(await received(redis), UNREADABLE, worker="a-worker")
    (letter,) = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    raw = await jobs.dead_letters.raw(DEFAULT_PROJECT, str(letter.id))
    assert not raw.complete
    assert sum(map(len, raw.entry.values())) <= 1 << 20


async def test_a_sound_job_whose_entry_is_damaged_fails_and_can_be_requeued(
    jobs: Jobs, redis: Any
) -> None:
    job = await submitted(jobs)
    await jobs.dead_letters.give_up(await received(redis), UNREADABLE, worker="a-worker")
    failed = await jobs.find(DEFAULT_PROJECT, job.id)
    assert failed.problem is not None
    assert (failed.state, failed.problem.code) == (JobState.FAILED, Code.INTERNAL)
    assert (await jobs.requeue(DEFAULT_PROJECT, job.id)).state is JobState.QUEUED


async def test_a_job_that_another_worker_runs_is_not_given_up(jobs: Jobs, redis: Any) -> None:
    job = await submitted(jobs)
    entry = await received(redis)
    running = done(await jobs.leases.start(job, "another"))
    await jobs.dead_letters.give_up(entry, ZeroDivisionError(), worker="a-worker")
    assert await jobs.get(job.id) == running


async def test_a_record_of_a_wrong_type_is_quarantined_with_its_dump(
    jobs: Jobs, redis: Any
) -> None:
    job = await submitted(jobs)
    entry = await received(redis)
    await redis.delete(keys.job(job.id))
    await redis.set(keys.job(job.id), "text")
    await jobs.dead_letters.give_up(entry, ZeroDivisionError(), worker="a-worker")
    (letter,) = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert letter.job == job.id
    raw = await jobs.dead_letters.raw(DEFAULT_PROJECT, str(letter.id))
    assert raw.record == {b"string": await redis.dump(keys.job(job.id))}
    await jobs.dead_letters.remove(DEFAULT_PROJECT, str(letter.id))
    assert not await redis.exists(keys.job(job.id))
    assert (await jobs.backlog()).queued == 0


async def test_a_record_of_another_version_is_quarantined_only_after_its_wait(
    jobs: Jobs, redis: Any
) -> None:
    job = await submitted(jobs)
    entry = await received(redis)
    await redis.hset(keys.job(job.id), "v", "3")
    with pytest.raises(UnknownVersion):
        await jobs.dead_letters.give_up(entry, UNREADABLE, worker="a-worker")
    waited = UnknownVersion("No worker could read it.", version=3)
    await jobs.dead_letters.give_up(entry, waited, worker="a-worker")
    (letter,) = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert "version 3; this process reads 1 and 2" in letter.problem.detail
    with pytest.raises(UnknownVersion):
        await jobs.requeue(DEFAULT_PROJECT, job.id)
    await redis.hset(keys.job(job.id), "v", "2")
    assert (await jobs.requeue(DEFAULT_PROJECT, job.id)).state is JobState.QUEUED, (
        "by a version that can read it"
    )
    assert [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)] == []
    event = (await received(redis)).data
    assert isinstance(event, dict)
    assert event[b"job"] == job.id.encode()


async def test_a_letter_that_cannot_be_read_is_listed_all_the_same(jobs: Jobs, redis: Any) -> None:
    entry = await redis.xadd(DEAD_LETTERS, {"__data__": b"\xff"})
    (letter,) = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert (letter.id, letter.problem.code) == (entry.decode(), Code.INTERNAL)
    assert (await jobs.dead_letters.raw(DEFAULT_PROJECT, entry.decode())).letter == {
        b"__data__": b"\xff"
    }


async def test_the_letter_of_a_failed_job_is_found_by_the_jobs_id(jobs: Jobs) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    await jobs.leases.add_result(running, JobResult(problem=CRASHED))
    raw = await jobs.dead_letters.raw(DEFAULT_PROJECT, running.id)
    assert raw.record[b"state"] == b"failed"
    await jobs.dead_letters.remove(DEFAULT_PROJECT, running.id)
    assert (await jobs.find(DEFAULT_PROJECT, running.id)).state is JobState.FAILED, (
        "its record was read, and stays"
    )
    with pytest.raises(NotFound):
        await jobs.requeue(DEFAULT_PROJECT, running.id)


async def test_a_job_that_cannot_be_changed_is_quarantined(jobs: Jobs, redis: Any) -> None:
    """The change needs its image's key, the hash of attempts at its webhook, and others."""
    job = await submitted(jobs, webhook=Webhook(url="https://agency.example/hook"))
    entry = await received(redis)
    await redis.set(keys.WEBHOOKS_DUE, "not a sorted set")
    await jobs.dead_letters.give_up(entry, ZeroDivisionError(), worker="a-worker")
    (letter, *_) = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert (letter.job, letter.request) == (job.id, None)
    assert (await jobs.backlog()).queued == 0
    assert await redis.xlen(JOBS) == 0


@pytest.mark.parametrize("damage", ["a wrong type", "one of version 1", "an event of the future"])
async def test_a_job_goes_on_when_its_events_cannot_be_appended_to(
    jobs: Jobs, redis: Any, damage: str
) -> None:
    job = await submitted(jobs)
    await redis.delete(keys.job_events(job.id))
    match damage:
        case "a wrong type":
            await redis.set(keys.job_events(job.id), "text")
        case "one of version 1":
            await redis.set(keys.job_events_1(job.id), "text")
        case "an event of the future":
            await redis.xadd(keys.job_events_1(job.id), {"some": "field"}, id="9999999999999-0")
    running = done(await jobs.leases.start(job, "a-worker"))
    own = await jobs.events([job.id], "0-0")
    assert [(event.id, event.state) for event in own] == [(running.event, running.state)]
    (published, _), *_ = await redis.xrevrange(EVENTS)
    assert (published.decode(), await redis.xlen(EVENTS)) == (running.event, 2), "no false event"
