"""Heartbeats: what may be concluded from a missing one."""

import asyncio
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from services.runtime.liveness import heartbeat as liveness
from services.runtime.liveness.heartbeat import Heartbeat, alive
from services.runtime.liveness.server_clock import Clock
from services.runtime.redis import keys
from services.runtime.redis.client import make_redis
from tests.processes import alive_until, until, until_answer
from tests.runtime.echo import settings_for


async def test_a_process_is_not_steady_in_an_outage_and_for_a_heartbeats_life_afterwards(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost() -> None:
        raise RedisConnectionError

    now = 1000.0
    monkeypatch.setattr(liveness, "time", SimpleNamespace(monotonic=lambda: now))
    settings = settings_for(redis_url, heartbeat_interval=0.01, heartbeat_ttl=20)
    redis = make_redis(settings)
    heartbeat = Heartbeat(redis, "new", settings, Clock(), capacity=1, report=dict)

    def has_beaten() -> bool:
        return heartbeat._last_beat == now

    assert not heartbeat.steady
    await heartbeat.start([])
    assert heartbeat.steady
    with monkeypatch.context() as outage:
        outage.setattr(heartbeat, "_beat", lost)
        now += 9
        assert heartbeat.steady, "half of a heartbeat's life has not passed"
        now += 2
        await asyncio.sleep(0.05)  # several heartbeats are lost
        assert not heartbeat.steady
    # It beats again at once, and is steady once a heartbeat's life has passed.
    for passed, steady in ((0, False), (9, False), (9, False), (9, True)):
        now += passed
        await until(has_beaten)
        assert heartbeat.steady == steady
    await heartbeat.stop()
    await redis.close()


async def test_no_worker_counts_as_alive_for_long_after_redis_clock_went_back(
    redis_url: str,
) -> None:
    """Its last heartbeat ends two hours from now."""
    settings = settings_for(redis_url, heartbeat_interval=0.05, heartbeat_ttl=0.5)
    redis, address = make_redis(settings), "test.jumps"
    await redis.execute("DEL", keys.responders(address))
    two_hours = alive_until(seconds=7200)
    await redis.execute("ZADD", keys.responders(address), two_hours, "dead-before")
    assert await alive(redis, address) == set(), "though no other worker is there"
    # The clock went back by less than the longest life of a heartbeat.
    await redis.execute("ZADD", keys.responders(address), alive_until(seconds=29), "dead")
    assert await alive(redis, address) == {"dead"}
    heartbeat = Heartbeat(redis, "living", settings, Clock(), capacity=1, report=dict)
    await heartbeat.start([address])

    async def is_alone() -> bool:
        return await alive(redis, address) == {"living"}

    # A heartbeat of this fleet counts for half a second; `until_answer` waits for 25 s at most.
    await until_answer(is_alone)
    await heartbeat.stop()
    await redis.close()
