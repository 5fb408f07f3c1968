"""A Redis for the jobs of these tests, and the parts of a worker that runs them."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.imaging.jobs.worker_bench import BLOB, Bench
from tests.processes import valkey
from tests.stored_images import store_image


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Yield the URL of a server where no other worker takes the jobs of these tests."""
    with valkey() as running:
        yield str(running.connection_url)


@pytest.fixture
async def bench(redis_url: str) -> AsyncIterator[Bench]:
    bench = Bench(redis_url)
    await bench.redis.execute("FLUSHALL")
    await store_image(bench.redis, BLOB)
    yield bench
    await bench.redis.close()
