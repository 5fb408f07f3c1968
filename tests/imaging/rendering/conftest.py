"""Two workers with claims in a Redis of their own."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from services.runtime.messaging import list_consumer, stream_consumer
from tests.imaging.rendering.workers import Worker, Workers
from tests.processes import valkey


@pytest.fixture(scope="module")
def own_redis() -> Iterator[str]:
    """The URL of a server that may be full."""
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture
async def workers(own_redis: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workers]:
    # A stop waits for the end of a blocking read.
    for module in (list_consumer, stream_consumer):
        monkeypatch.setattr(module, "POLL", 0.05)
    stored: set[str] = set()
    one, other = (Worker(own_redis, stored) for _ in range(2))
    await one.broker.redis.execute("FLUSHALL")
    await asyncio.gather(one.broker.start(), other.broker.start())
    yield one, other
    await asyncio.gather(one.broker.stop(), other.broker.stop())
