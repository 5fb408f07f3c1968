"""HTTP clients of the running suite, and of a gateway without workers."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from contracts.imaging import Blob
from services.runtime.jobs.store import Jobs
from services.runtime.redis.client import make_redis
from services.runtime.settings import RuntimeSettings
from tests.gateway.documented import assert_documented
from tests.processes import Service, faststream, valkey
from tests.stored_images import store_image


@pytest.fixture(scope="session")
def client(gateway_url: str) -> Iterator[httpx.Client]:
    """A client of the whole suite. It requires that the OpenAPI document names each answer."""
    hooks = {"response": [assert_documented]}
    with httpx.Client(base_url=gateway_url, timeout=30, event_hooks=hooks) as client:
        yield client


@pytest.fixture(scope="session")
def workerless_redis() -> Iterator[str]:
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture(scope="session")
def workerless(workerless_redis: str) -> Iterator[Service]:
    """A gateway without workers, with small limits and short timeouts."""
    env = {
        "DARKROOM_MAX_BODY": "1000000",
        "DARKROOM_MAX_BODIES": "4000000",
        # More than a busy machine makes a body late.
        "DARKROOM_BODY_PATIENCE": "3",
        "DARKROOM_LINGER": "5",
    }
    with faststream("gateway", workerless_redis, env=env) as service:
        yield service


@pytest.fixture
def no_workers(workerless: Service) -> Iterator[httpx.Client]:
    """A client of the gateway without workers."""
    hooks = {"response": [assert_documented]}
    with httpx.Client(base_url=workerless.url, timeout=10, event_hooks=hooks) as client:
        yield client


@pytest.fixture
async def jobs(workerless_redis: str) -> AsyncIterator[Jobs]:
    """The jobs of the gateway without workers, for a test that acts as a worker."""
    redis = make_redis(RuntimeSettings(redis_url=workerless_redis))
    await store_image(redis, Blob(key="a" * 64, media_type="image/png", bytes=1))
    yield Jobs(redis, RuntimeSettings())
    await redis.close()
