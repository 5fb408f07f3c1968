"""Attacks on what Redis holds: damaged records, records of another version, a clock that jumps."""

import base64
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from contracts.jobs import DEAD_LETTERS, EVENTS, JOBS
from services.runtime.jobs.store import Jobs
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.stream_reader import StreamReader
from services.runtime.redis import keys
from services.runtime.redis.client import make_redis
from tests.adversary.conftest import Record
from tests.imaging.pictures import encoded, scenery
from tests.processes import HTTP, Service, alive_until, faststream, until, valkey, wait_until
from tests.runtime.echo import settings_for
from tests.runtime.jobs.helpers import submitted

ENV = {
    "DARKROOM_SLOTS": "1",
    "DARKROOM_HEARTBEAT_INTERVAL": "0.1",
    "DARKROOM_HEARTBEAT_TTL": "0.5",
    "DARKROOM_MAX_QUEUE_AGE": "5",
    "DARKROOM_UNKNOWN_VERSION_WAIT": "1",
}


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A server of its own: these attacks write to it directly."""
    with valkey() as running:
        yield str(running.connection_url)


@pytest.fixture(scope="module")
def gateway(redis_url: str) -> Iterator[Service]:
    with faststream("gateway", redis_url, env=ENV) as service:
        yield service


@pytest.fixture
def plain(redis_url: str) -> Iterator[Any]:
    with Redis.from_url(redis_url) as redis:
        yield redis


def submit(gateway: Service) -> httpx.Response:
    picture = encoded(scenery(60, 40), "PNG")
    return HTTP.post(f"{gateway.url}/v1/jobs?op=grayscale", content=picture)


def letters(gateway: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = HTTP.get(f"{gateway.url}/v1/dead-letters").json()["dead_letters"]
    return found


def test_a_dead_worker_does_not_live_on_when_redis_clock_goes_back(
    gateway: Service, plain: Any, record_attack: Record
) -> None:
    """Its last heartbeat counts until two hours from now."""
    for address in ("imaging.render", "imaging.render:stream", "imaging.render:list", JOBS):
        plain.zadd(keys.responders(address), {"dead": alive_until(seconds=7200)})
        plain.hset(keys.capacities(address), "dead", 8)
    picture = encoded(scenery(60, 40), "PNG")
    started = time.monotonic()
    answer = HTTP.post(f"{gateway.url}/v1/render?op=grayscale&timeout=15", content=picture)
    seconds = time.monotonic() - started
    for key in plain.keys("darkroom:responders:*"):
        plain.delete(key)
    record_attack(
        "Redis's clock goes back two hours after a worker has died; a client renders.",
        "The dead worker counts as alive for two hours: a request waits for all of its timeout.",
        f"{answer.status_code} {answer.json()['code']} after {seconds:.2f} s.",
    )
    assert (answer.status_code, answer.json()["code"]) == (503, "no_workers")
    assert seconds < 5


def test_what_nobody_can_read_is_a_dead_letter_and_closes_nothing(
    gateway: Service, plain: Any, redis_url: str, record_attack: Record
) -> None:
    """A flipped byte, a wrong type, an unknown version, and an entry that names no job."""
    flipped, retyped, later, sound = [submit(gateway).json()["id"] for _ in range(4)]
    request = bytearray(plain.hget(keys.job(flipped), "request"))
    request[len(request) // 2] ^= 0x80
    plain.hset(keys.job(flipped), "request", bytes(request))
    plain.delete(keys.job(retyped))
    plain.set(keys.job(retyped), "text")
    plain.hset(keys.job(later), "v", "3")
    plain.xadd(JOBS, {"garbage": b"\xff"})
    with faststream("imaging", redis_url, env=ENV) as worker:
        wait_until(lambda: len(letters(gateway)) == 4)
        named = {letter["job"]: letter for letter in letters(gateway)}
        assert named.keys() == {flipped, retyped, later, None}
        assert HTTP.get(f"{gateway.url}/v1/jobs/{sound}").status_code in (200, 302)
        refused = HTTP.get(f"{gateway.url}/v1/jobs/{later}")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert "version 3; this process reads 1 and 2" in refused.json()["detail"]
        address = f"{gateway.url}/v1/dead-letters/{named[flipped]['id']}"
        raw = HTTP.get(f"{address}/raw").json()
        assert base64.b64decode(raw["record"]["request"]) == bytes(request)
        removed = [
            HTTP.delete(f"{gateway.url}/v1/dead-letters/{letter['id']}").status_code
            for letter in named.values()
        ]
        assert (removed, letters(gateway)) == ([204] * 4, [])
        output = worker.output()
    # Time is the subject: the age at which the first queued job closes the queue.
    time.sleep(5)
    answer = submit(gateway)
    record_attack(
        "Jobs' records with a flipped byte, a wrong type or an unknown version, and an entry that "
        "names no job.",
        "Acknowledged, and `queued` for ever: past DARKROOM_MAX_QUEUE_AGE every submission is "
        "refused (503 overloaded).",
        f"4 dead letters, fetched raw and removed; the next submission: {answer.status_code}.",
    )
    assert answer.status_code == 202
    assert output.count("left to another version") == 1, "not tried again and again"


async def test_a_queue_that_names_jobs_that_have_ended_stays_open(
    gateway: Service, plain: Any, redis_url: str, record_attack: Record
) -> None:
    """One says so itself, one is deleted; a third is damaged. All three seem to wait since 1970."""
    plain.flushall()
    ended, deleted, damaged = [submit(gateway).json()["id"] for _ in range(3)]
    plain.hset(keys.job(ended), "state", "succeeded")
    plain.delete(keys.job(deleted))
    plain.hset(keys.job(damaged), "created_at", "never")
    plain.delete(JOBS)
    plain.zadd(keys.JOBS_QUEUED, dict.fromkeys((ended, deleted, damaged), 1))
    client = make_redis(settings_for(redis_url))
    await Jobs(client, settings_for(redis_url)).orphans.requeue(age=0)
    await client.close()
    answer = submit(gateway)
    gone = HTTP.get(f"{gateway.url}/v1/jobs/{damaged}")
    day = 24 * 3600
    kept = sum(plain.ttl(key) not in range(day + 1) for key in plain.keys(f"{keys.JOB}*:log")) - 1
    record_attack(
        "Queued jobs' records that are deleted, or say that the job has succeeded.",
        "Queued for ever: past DARKROOM_MAX_QUEUE_AGE every submission is refused (503 "
        "overloaded). A deleted job's events are kept for ever; a damaged job is 500 internal.",
        f"The next submission: {answer.status_code}. {kept} keys are kept for ever. A damaged job "
        f"is {gone.status_code} {gone.json()['code']}.",
    )
    assert (answer.status_code, kept) == (202, 0)
    assert (gone.status_code, gone.json()["code"]) == (410, "gone")


async def test_a_reader_that_is_always_behind_learns_what_it_missed(
    redis_url: str, plain: Any, record_attack: Record
) -> None:
    redis, gaps, read = make_redis(settings_for(redis_url)), list[int](), list[bytes]()

    async def deliver(received: Received) -> None:
        assert isinstance(received.data, dict)
        read.append(received.data[b"n"])
        if len(read) == 50:
            plain.xtrim(EVENTS, maxlen=150, approximate=False)

    plain.delete(EVENTS)
    plain.xadd(EVENTS, {"n": 0})
    reader = StreamReader(EVENTS, redis, on_gap=lambda: gaps.append(len(read)))
    await reader.start(deliver)
    await redis.pipeline(("XADD", EVENTS, "*", "n", number) for number in range(1, 501))
    await until(lambda: bool(read) and read[-1] == b"500")
    await reader.stop()
    await redis.close()
    record_attack(
        "Events are trimmed while a reader of events is behind, and never silent for 5 seconds.",
        "It missed 251 of 500 events, and noticed nothing.",
        f"It missed {500 - len(read)} of 500 events, and told its clients.",
    )
    assert len(read) < 500
    assert gaps[1:], "the first one is the start's"


async def test_every_orphaned_job_is_found(
    redis_url: str, plain: Any, record_attack: Record
) -> None:
    """The youngest of 500 queued jobs is in no line and not in the stream."""
    plain.flushall()
    client = make_redis(settings_for(redis_url))
    jobs = Jobs(client, settings_for(redis_url))
    for _ in range(500):
        await submitted(jobs)
    lost = await submitted(jobs, submitter="unlucky")
    plain.lrem(f"{keys.JOB_LINE}unlucky", 1, lost.id)
    searches, found = 0, list[str]()
    while lost.id not in found and searches < 5:
        searches += 1
        found = [job.id for job in await jobs.orphans.requeue(age=0)]
    await client.close()
    record_attack(
        "An orphaned job behind 500 older jobs that wait.",
        "Not found, as long as a hundred older jobs wait.",
        f"Found by search {searches}, and queued again.",
    )
    assert found == [lost.id]
    assert plain.xlen(DEAD_LETTERS) == 0
