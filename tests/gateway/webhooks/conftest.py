"""A Redis server, emptied for each test of webhooks."""

from collections.abc import AsyncIterator, Iterator

import pytest

from services.runtime.redis.client import RedisClient
from tests.gateway.webhooks.dispatching import connected
from tests.processes import valkey


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    async with connected(redis_url) as redis:
        await redis.execute("FLUSHALL")
        yield redis
