"""Fixtures of the runtime's tests: a server of their own, which is emptied, a caller, a worker."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from services.runtime.messaging import list_consumer, stream_consumer
from services.runtime.rpc.broker import Broker
from tests.processes import valkey
from tests.runtime.echo import Echo, broker_on, serving


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with valkey() as running:
        yield str(running.connection_url)


@pytest.fixture
async def caller(redis_url: str) -> AsyncIterator[Broker]:
    broker = broker_on(redis_url)
    await broker.redis.execute("FLUSHALL")
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def plain(redis_url: str) -> AsyncIterator[Redis]:
    """Client of redis-py, independent of the code under test."""
    async with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def worker(redis_url: str, caller: Broker, echo: Echo) -> AsyncIterator[Broker]:
    async with serving(redis_url, echo, capacity=2000) as broker:
        yield broker


@pytest.fixture(autouse=True)
def _short_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a blocking read end after 50 ms instead of 0.5 s: each stop of a worker waits for one."""
    for module in (list_consumer, stream_consumer):
        monkeypatch.setattr(module, "POLL", 0.05)
