"""Webhooks of several gateways, and what a stop or a restart of Redis does to them."""

import asyncio
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from contracts.jobs import Job
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from tests.gateway.receiver import receiver
from tests.gateway.webhooks.dispatching import (
    connected,
    count,
    dispatching,
    ended,
    until_idle,
)
from tests.gateway.webhooks.signing import verified
from tests.processes import mortal_valkey


@pytest.mark.slow
async def test_a_dead_gateways_delivery_is_sent_by_another_after_its_lease(
    redis: RedisClient, redis_url: str
) -> None:
    async with receiver(asyncio.Event()) as listening:
        async with dispatching(redis_url, stop=0, webhook_timeout=2, webhook_lease=2.5):
            await ended(redis, listening.url)
            await listening.receive(1)
        async with dispatching(redis_url):
            first, second = await listening.receive(2)
            await until_idle(redis)

    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.at - first.at >= 2.3


async def test_a_graceful_stop_waits_for_running_deliveries(
    redis: RedisClient, redis_url: str
) -> None:
    slow = asyncio.Event()
    async with receiver(slow) as listening:
        async with dispatching(redis_url):
            await ended(redis, listening.url)
            await listening.receive(1)
            asyncio.get_running_loop().call_later(0.3, slow.set)
        assert await redis.execute("EXISTS", keys.WEBHOOKS_DUE) == 0
    assert len(listening.requests) == 1


async def test_two_gateways_share_the_deliveries(redis: RedisClient, redis_url: str) -> None:
    slow = asyncio.Event()
    async with receiver(*[slow] * 8) as listening:
        jobs = [await ended(redis, listening.url) for _ in range(60)]
        async with dispatching(redis_url) as one, dispatching(redis_url) as other:
            await listening.receive(8)  # four to one host are under way in each gateway
            slow.set()
            await listening.receive(60)
            await until_idle(redis)

    delivered = sorted(verified(request)["data"]["id"] for request in listening.requests)
    assert delivered == sorted(job.id for job in jobs)
    assert min(count(one, "delivered"), count(other, "delivered")) > 0


async def test_only_so_many_deliveries_run_at_once(redis: RedisClient, redis_url: str) -> None:
    slow = asyncio.Event()
    async with receiver(slow, slow, slow) as listening, dispatching(redis_url, webhook_slots=2):
        for _ in range(3):
            await ended(redis, listening.url)
        await listening.receive(2)
        with pytest.raises(TimeoutError):
            await listening.receive(3, within=0.7)
        slow.set()
        await listening.receive(3)
        await until_idle(redis)


@pytest.mark.slow
async def test_a_restart_of_redis_loses_no_delivery(tmp_path: Path) -> None:
    slow = asyncio.Event()
    with mortal_valkey(tmp_path) as server:
        async with (
            receiver(slow) as listening,
            dispatching(server.url, webhook_timeout=2, webhook_lease=3) as metrics,
            connected(server.url) as redis,
        ):
            before = await ended(redis, listening.url)
            await listening.receive(1)
            server.kill()
            slow.set()
            await asyncio.sleep(1)  # time is the subject: Redis is down for so long
            await asyncio.to_thread(server.start)
            after = await until_written(redis, listening.url)
            requests = await listening.receive(3)
            await until_idle(redis)

    delivered = [verified(each)["data"]["id"] for each in requests]
    assert (delivered.count(before.id), delivered.count(after.id)) == (2, 1)
    ids = {each.headers["webhook-id"] for each in requests}
    assert len(ids) == 2, "a receiver can recognise the repeat"
    assert count(metrics, "delivered") == 2


async def until_written(redis: RedisClient, url: str) -> Job:
    async with asyncio.timeout(20):
        while True:
            try:
                return await ended(redis, url)
            except RedisError:
                await asyncio.sleep(0.05)
