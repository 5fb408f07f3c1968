"""Maintenance: orphaned jobs, one leader, old events."""

from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Code, Gone
from contracts.jobs import DEAD_LETTERS, EVENTS, JOBS
from services.runtime.jobs.maintenance import JobMaintenance
from services.runtime.jobs.store import Jobs
from services.runtime.messaging.unreadable import Damaged
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from tests.processes import alive_until, until_answer
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

INDEXES = (keys.JOBS_QUEUED, keys.JOBS_RUNNING, keys.JOBS_LATER, keys.JOBS_DEADLINES)


async def test_orphaned_jobs_are_queued_again(jobs: Jobs, redis: Any) -> None:
    queued, taken = await submitted(jobs), await submitted(jobs)
    running = done(await jobs.leases.start(taken, "a-worker"))
    for _ in range(MIN_CAPACITY):
        await submitted(jobs)
    assert await jobs.orphans.requeue(age=0) == [], "no job is orphaned yet"
    await redis.delete(JOBS)
    lost = await jobs.orphans.requeue(age=0)
    assert {queued.id, taken.id} <= {job.id for job in lost}
    assert await jobs.leases.add_result(running, GOOD) is None, "the lease is another's now"
    order = await work_through(jobs, redis)
    assert len(order) == len(set(order)) == MIN_CAPACITY + 2


async def test_one_process_leads_the_maintenance_until_its_lease_ends(
    jobs: Jobs, redis: Any
) -> None:
    assert await jobs.run_maintenance("first", lease=60)
    assert 30_000 < await redis.pttl(keys.MAINTENANCE_LEADER) <= 60_000
    assert not await jobs.run_maintenance("second", lease=60)
    await redis.pexpire(keys.MAINTENANCE_LEADER, 20_000)
    assert await jobs.run_maintenance("first", lease=60)
    assert await redis.pttl(keys.MAINTENANCE_LEADER) > 30_000, "renewed"
    await redis.pexpire(keys.MAINTENANCE_LEADER, 1)

    async def has_the_second() -> bool:
        return await jobs.run_maintenance("second", lease=60)

    await until_answer(has_the_second)


async def test_the_maintenance_goes_on_after_a_lost_connection(jobs: Jobs, redis: Any) -> None:
    maintenance = JobMaintenance("me", jobs)
    await maintenance.start()
    running = done(await jobs.leases.start(await submitted(jobs), "a-worker"))
    await taken_from_stream(redis)
    await jobs.leases.retry(running, CRASHED, delay=0.1)
    await redis.client_kill_filter(_type="normal", skipme=True)

    async def is_queued() -> bool:
        return await taken_from_stream(redis) == [running.id]

    await until_answer(is_queued, every=0.1)
    await maintenance.stop()


async def test_trimming_deletes_old_events_and_dead_letters(
    redis: Any, client: RedisClient
) -> None:
    jobs = jobs_on(client, job_ttl=10)
    for stream in (EVENTS, DEAD_LETTERS):
        for number in range(500):
            await redis.xadd(stream, {"old": "x"}, id=f"{number + 1}-0")
    await jobs.trim()
    assert [await redis.xlen(EVENTS), await redis.xlen(DEAD_LETTERS)] == [0, 0]


async def test_a_job_with_a_living_worker_is_no_orphan(jobs: Jobs, redis: Any) -> None:
    running = done(await jobs.leases.start(await submitted(jobs), "living"))
    await redis.delete(JOBS)
    await redis.zadd(keys.responders(JOBS), {"living": alive_until()})
    assert await jobs.orphans.requeue(age=0) == []
    await redis.zrem(keys.responders(JOBS), "living")
    assert [job.id for job in await jobs.orphans.requeue(age=0)] == [running.id]


async def test_a_damaged_record_is_quarantined_and_stops_nothing(jobs: Jobs, redis: Any) -> None:
    strange = await submitted(jobs)
    await redis.hset(f"darkroom:job:{strange.id}", "attempts", "unheard of")
    sound = await submitted(jobs)
    await redis.delete(JOBS)
    assert [job.id for job in await jobs.orphans.requeue(age=0)] == [sound.id]
    assert [job.id async for job in jobs.open(DEFAULT_PROJECT, 10)] == [sound.id]
    with pytest.raises(Damaged):
        await jobs.get(strange.id)
    with pytest.raises(Gone):
        await jobs.cancel(DEFAULT_PROJECT, strange.id)
    (letter,) = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert (letter.job, letter.request, letter.problem.code) == (strange.id, None, Code.INTERNAL)
    assert (await jobs.backlog()).queued == 1, "the sound one"


@pytest.mark.parametrize("index", INDEXES)
async def test_an_ended_job_leaves_every_index_and_what_is_left_of_it_expires(
    jobs: Jobs, redis: Any, index: str
) -> None:
    ended, deleted = await submitted(jobs), await submitted(jobs)
    sound = await submitted(jobs)
    left = [keys.job(ended.id), keys.job_events(ended.id), keys.job_events(deleted.id)]
    await redis.hset(keys.job(ended.id), "state", "succeeded")
    await redis.delete(keys.job(deleted.id))
    for other in INDEXES:
        await redis.zrem(other, ended.id, deleted.id)
    await redis.zadd(index, {ended.id: 1, deleted.id: 1})
    await jobs.run_maintenance("me", lease=5)
    assert await jobs.orphans.requeue(age=0) == []
    named = [await redis.zrange(each, 0, -1) for each in INDEXES]
    assert named == [[sound.id.encode()], [], [], [sound.id.encode()]]
    assert all([0 < await redis.ttl(key) <= 24 * 3600 for key in left])
    assert await redis.ttl(keys.job(sound.id)) == -1


async def test_orphans_behind_many_older_jobs_are_found(jobs: Jobs, redis: Any) -> None:
    old = [await submitted(jobs) for _ in range(3000)]
    lost = await submitted(jobs, submitter="unlucky")
    running = [done(await jobs.leases.start(job, "a-worker")) for job in old[:MIN_CAPACITY]]
    assert await redis.lrem("darkroom:jobs:line:unlucky", 1, lost.id)
    found = [job.id for _ in range(2) for job in await jobs.orphans.requeue(age=0)]
    assert lost.id in found
    assert set(found) <= {lost.id, *(job.id for job in running)}


async def test_the_leader_of_before_a_jump_of_the_clock_leads_no_longer(
    jobs: Jobs, redis: Any
) -> None:
    """Redis's clock went back by two hours, and its lease would end in two hours."""
    await redis.set(keys.MAINTENANCE_LEADER, "dead", px=7_200_000)
    assert await jobs.run_maintenance("living", lease=5)
    assert not await jobs.run_maintenance("another", lease=5)
