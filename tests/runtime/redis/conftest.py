"""A client, and a connection, on the server of the runtime's tests."""

from collections.abc import AsyncIterator

import pytest

from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Endpoint, endpoint_of
from services.runtime.redis.multiplexer import Multiplexer


@pytest.fixture
def endpoint(redis_url: str) -> Endpoint:
    return endpoint_of(redis_url)


@pytest.fixture
async def redis(endpoint: Endpoint) -> AsyncIterator[RedisClient]:
    redis = RedisClient(endpoint)
    yield redis
    await redis.close()


@pytest.fixture
async def connection(endpoint: Endpoint) -> AsyncIterator[Multiplexer]:
    """A multiplexer with a connection of its own."""
    connection = Multiplexer(endpoint)
    yield connection
    await connection.close()
