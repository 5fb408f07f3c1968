"""An empty Redis: the client that jobs use, and redis-py's to check what they wrote."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from services.runtime.jobs.store import Jobs
from services.runtime.redis.client import RedisClient, make_redis
from tests.runtime.echo import settings_for
from tests.runtime.jobs.helpers import jobs_on


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
        yield redis


@pytest.fixture
async def client(redis: Redis, redis_url: str) -> AsyncIterator[RedisClient]:
    client = make_redis(settings_for(redis_url))
    yield client
    await client.close()


@pytest.fixture
def jobs(client: RedisClient) -> Jobs:
    return jobs_on(client)
