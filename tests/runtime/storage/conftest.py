"""Storage on a real Redis: with the bytes in a folder, and with the bytes in Redis."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.blobs import Storage
from services.runtime.storage.setup import make_storage, stop_storage
from services.runtime.telemetry.metrics import Metrics

MakeStorage = Callable[..., Storage]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    """A client, whose server has nothing of images before and after."""
    client = make_redis(RuntimeSettings(redis_url=redis_url))
    await empty(client)
    yield client
    await empty(client)
    await client.close()


async def empty(client: RedisClient) -> None:
    """Take everything of images out of Redis, as its loss does."""
    for pattern in ("image", "images", "rendition", "store", "hot"):
        for key in await client.execute("KEYS", f"darkroom:{pattern}*"):
            await client.execute("UNLINK", key)


@pytest.fixture
async def make(redis: RedisClient, redis_url: str, tmp_path: Path) -> AsyncIterator[MakeStorage]:
    """Make a storage with a folder, or with `store="redis:"`, and other settings."""
    made: list[Storage] = []

    def make(**settings: object) -> Storage:
        named = {"store": f"file://{tmp_path / 'store'}", "redis_url": redis_url} | settings
        made.append(make_storage(RuntimeSettings.model_validate(named), redis, Metrics()))
        return made[-1]

    yield make
    for storage in made:
        await stop_storage(storage)


@pytest.fixture
def storage(make: MakeStorage) -> Storage:
    """A storage whose bytes lie in the folder `store` of `tmp_path`."""
    return make()


@pytest.fixture(params=["file", "redis"])
def either(make: MakeStorage, request: pytest.FixtureRequest) -> Storage:
    """A storage with a folder, and one without."""
    return make() if request.param == "file" else make(store="redis:")
