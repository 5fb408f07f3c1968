"""The identity of a store: all services use one, and another is refused at the start."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import endpoint_of
from services.runtime.redis.watch import StoreRefused
from services.runtime.storage.stores import marker
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.disk import DiskStore
from services.runtime.storage.stores.marker import claim_store
from services.runtime.storage.stores.store import MARKER
from services.runtime.telemetry.metrics import Metrics


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    redis = RedisClient(endpoint_of(redis_url))
    await redis.execute("DEL", keys.STORE)
    yield redis
    await redis.execute("DEL", keys.STORE)
    await redis.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[AsyncStore]:
    store = AsyncStore(DiskStore(tmp_path / "host"), Metrics())
    yield store
    store._threads.shutdown()


@pytest.fixture
def other_host(tmp_path: Path) -> Iterator[AsyncStore]:
    store = AsyncStore(DiskStore(tmp_path / "other"), Metrics())
    yield store
    store._threads.shutdown()


def id_of(store: AsyncStore) -> str:
    text = (store.scratch.parent / MARKER).read_text()
    return str(json.loads(text)["id"])


async def test_the_first_service_gives_a_store_its_id_and_others_find_it(
    host: AsyncStore, redis: RedisClient
) -> None:
    await claim_store(host, redis)
    first = id_of(host)
    await claim_store(host, redis)

    assert id_of(host) == first
    assert await redis.execute("GET", keys.STORE) == first.encode()
    assert await redis.execute("TTL", keys.STORE) == -1


async def test_services_that_start_at_once_agree(host: AsyncStore, redis: RedisClient) -> None:
    await asyncio.gather(*(claim_store(host, redis) for _ in range(5)))

    assert await redis.execute("GET", keys.STORE) == id_of(host).encode()


async def test_a_redis_that_has_lost_its_data_takes_the_id_of_the_store(
    host: AsyncStore, redis: RedisClient
) -> None:
    await claim_store(host, redis)
    await redis.execute("DEL", keys.STORE)
    first = id_of(host)

    await claim_store(host, redis)

    assert id_of(host) == first
    assert await redis.execute("GET", keys.STORE) == first.encode()


async def test_a_disk_of_another_host_is_refused_with_a_sentence(
    host: AsyncStore, other_host: AsyncStore, redis: RedisClient
) -> None:
    await claim_store(host, redis)

    with pytest.raises(StoreRefused, match=r"has no darkroom-store\.json, so it is not the one"):
        await claim_store(other_host, redis)
    assert not (other_host.scratch.parent / MARKER).exists()


async def test_a_store_of_another_redis_is_refused(
    host: AsyncStore, other_host: AsyncStore, redis: RedisClient
) -> None:
    await claim_store(other_host, redis)
    await redis.execute("DEL", keys.STORE)
    await claim_store(host, redis)

    with pytest.raises(StoreRefused, match="give all of them the same folder or bucket"):
        await claim_store(other_host, redis)


async def test_a_copy_of_the_store_is_the_same_store(
    host: AsyncStore, other_host: AsyncStore, redis: RedisClient
) -> None:
    await claim_store(host, redis)
    await other_host.put(MARKER, (host.scratch.parent / MARKER).read_bytes())

    await claim_store(other_host, redis)


async def test_a_marker_that_is_damaged_is_refused(host: AsyncStore, redis: RedisClient) -> None:
    await host.put(MARKER, b"{")

    with pytest.raises(StoreRefused, match="can't be read"):
        await claim_store(host, redis)


async def test_redis_is_refused_as_a_store_while_there_is_another(
    host: AsyncStore, redis: RedisClient
) -> None:
    await claim_store(None, redis)
    await claim_store(host, redis)

    with pytest.raises(StoreRefused, match="DARKROOM_STORE is redis:"):
        await claim_store(None, redis)


async def test_a_service_waits_for_one_that_writes_the_marker_or_has_died_there(
    host: AsyncStore, redis: RedisClient
) -> None:
    await redis.execute("SET", keys.STORE, marker._MARKING + b"dead", "PX", 100)

    await claim_store(host, redis)

    assert await redis.execute("GET", keys.STORE) == id_of(host).encode()


async def test_a_service_waits_for_a_store_that_is_away(
    host: AsyncStore, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marker, "_RETRY", 0.01)
    away = host.scratch.parent.rename(host.scratch.parent.with_name("away"))
    waiting = asyncio.create_task(claim_store(host, redis))
    await asyncio.sleep(0.05)
    assert not waiting.done()

    away.rename(host.scratch.parent)
    await asyncio.wait_for(waiting, 10)
