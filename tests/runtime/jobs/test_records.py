"""Records of jobs: versions, and what release 0.6.0 (commit 0fad85d) has left in Redis."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Code
from contracts.jobs import JOBS, JobState
from contracts.methods import GROUP
from services.runtime.jobs.records import VERSION
from services.runtime.jobs.store import Jobs
from services.runtime.messaging.unreadable import Damaged, UnknownVersion
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from tests.runtime.jobs.helpers import BLOB, GOOD, done, submitted
from tests.stored_images import store_image

STORED = json.loads(Path(__file__).with_name("records_of_0_6_0.json").read_text())
IDS: dict[str, str] = STORED["jobs"]


def raw(text: str) -> bytes:
    """The bytes of a text of the fixture, which has one character for each byte."""
    return text.encode("latin-1")


@pytest.fixture
async def left(redis: Any, client: RedisClient) -> None:
    """Bring Redis into the state in which 0.6.0 left it, an entry of a worker that died with it."""
    for name, fields in STORED["hash"].items():
        await redis.hset(name, mapping={raw(field): raw(value) for field, value in fields.items()})
    await store_image(client, BLOB)
    for name, entries in STORED["stream"].items():
        for entry, parts in entries:
            await redis.execute_command("XADD", name, entry, *map(raw, parts))
    for name, items in STORED["list"].items():
        await redis.rpush(name, *map(raw, items))
    for name, scores in STORED["zset"].items():
        await redis.zadd(name, {raw(member): score for member, score in scores.items()})
    await redis.xgroup_create(JOBS, GROUP, id="0")
    await redis.xreadgroup(GROUP, "old-worker", {JOBS: ">"}, count=len(STORED["pending"]))


@pytest.mark.usefixtures("left")
async def test_every_record_of_the_version_before_is_read(jobs: Jobs) -> None:
    states = {
        name: (await jobs.find(DEFAULT_PROJECT, job_id)).state for name, job_id in IDS.items()
    }
    waiting = {name: JobState.QUEUED for name in IDS if name.startswith(("in line", "queued"))}
    assert states == waiting | {
        "failed": JobState.FAILED,
        "succeeded": JobState.SUCCEEDED,
        "later": JobState.QUEUED,
        "running": JobState.RUNNING,
    }
    running = await jobs.find(DEFAULT_PROJECT, IDS["running"])
    assert (running.results, running.worker) == ((GOOD,), "old-worker")
    assert [event.done for event in await jobs.events([running.id], "0-0")] == [0, 0, 1]
    (letter,) = [each async for each in jobs.dead_letters.latest(DEFAULT_PROJECT, 10)]
    assert (letter.job, letter.problem.code) == (IDS["failed"], Code.WORKER_CRASHED)
    assert letter.request is not None


@pytest.mark.usefixtures("left")
async def test_every_open_job_of_the_version_before_is_done(jobs: Jobs, redis: Any) -> None:
    assert await jobs.run_maintenance("me", lease=5), "the retry is due"
    (pending,) = STORED["pending"]
    running = await jobs.find(DEFAULT_PROJECT, IDS["running"])
    again = done(await jobs.leases.start(running, "new", entry=pending))
    assert done(await jobs.leases.add_result(again, GOOD)).state is JobState.SUCCEEDED
    assert (await jobs.requeue(DEFAULT_PROJECT, IDS["failed"])).state is JobState.QUEUED
    while assignment := await jobs.leases.take_next("new"):
        job = assignment.job() or done(
            await jobs.leases.start(
                await jobs.find(DEFAULT_PROJECT, assignment.job_id),
                "new",
                entry=assignment.entry.decode(),
            )
        )
        while job.state is JobState.RUNNING:
            job = done(await jobs.leases.add_result(job, GOOD))
    assert {(await jobs.find(DEFAULT_PROJECT, job_id)).state for job_id in IDS.values()} == {
        JobState.SUCCEEDED
    }
    backlog = await jobs.backlog()
    assert (backlog.queued, backlog.running, backlog.later) == (0, 0, 0)
    assert await redis.xlen(JOBS) == 0
    versions = {await redis.hget(keys.job(job_id), "v") for job_id in IDS.values()}
    assert versions == {None, str(VERSION).encode()}, "None: what ended before"


@pytest.mark.parametrize("version", ["0", "3", "17"])
async def test_a_record_of_an_unknown_version_is_refused_by_name_and_left_as_it_is(
    jobs: Jobs, redis: Any, version: str
) -> None:
    job = await submitted(jobs)
    await redis.hset(keys.job(job.id), "v", version)
    before = await redis.hgetall(keys.job(job.id))
    with pytest.raises(UnknownVersion, match=f"version {version}; this process reads 1 and 2"):
        await jobs.get(job.id)
    assert await jobs.leases.start(job, "a-worker") is None
    await redis.xgroup_create(JOBS, GROUP, id="0")
    assignment = await jobs.leases.take_next("a-worker")
    assert assignment is not None
    assert (assignment.job_id, assignment.job()) == (job.id, None)
    assert await redis.hgetall(keys.job(job.id)) == before


@pytest.mark.parametrize("change", ["flipped", "missing", "version", "far", "type"])
async def test_a_damaged_record_is_refused(jobs: Jobs, redis: Any, change: str) -> None:
    job = await submitted(jobs)
    record = keys.job(job.id)
    match change:
        case "flipped":
            request = bytearray(await redis.hget(record, "request"))
            request[len(request) // 2] ^= 0x80
            await redis.hset(record, "request", bytes(request))
        case "missing":
            await redis.hdel(record, "submitter")
        case "version":
            await redis.hset(record, "v", "two")
        case "far":
            await redis.hset(record, "v", str(10**6))
        case "type":
            await redis.delete(record)
            await redis.rpush(record, "not a hash")
    with pytest.raises(Damaged):
        await jobs.get(job.id)
    other = await submitted(jobs, submitter="other")
    assert (await jobs.find(DEFAULT_PROJECT, other.id)).state is JobState.QUEUED, (
        "the others are not disturbed"
    )
    assert other.id in {job.id async for job in jobs.open(DEFAULT_PROJECT, 10)}
