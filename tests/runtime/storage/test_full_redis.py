"""A Redis with full memory stores nothing new; deletions and longer lives still work."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.exceptions import OutOfMemoryError

from contracts.access.keys import DEFAULT_PROJECT
from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.redis.replies import FULL
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.administration.rebuild import Rebuild
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.lookups import Lookup, Lookups
from services.runtime.storage.parts import PART
from services.runtime.storage.purge import Purge
from services.runtime.storage.records import Kind, NewBlob
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage, stop_storage
from services.runtime.storage.spool import Spool
from services.runtime.telemetry.metrics import Metrics
from tests.processes import until_answer, valkey


@pytest.fixture(params=["file", "redis"])
async def own(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """A storage with a Redis of its own."""
    store = f"file://{tmp_path / 'store'}" if request.param == "file" else "redis:"
    with valkey() as server:
        settings = RuntimeSettings.model_validate(
            {"store": store, "redis_url": str(server.connection_url)}
        )
        redis = make_redis(settings)
        storage = make_storage(settings, redis, Metrics())
        yield storage
        await stop_storage(storage)
        await redis.close()


async def fill(redis: RedisClient) -> None:
    await redis.execute("CONFIG", "SET", "maxmemory", "1mb")


async def test_no_image_is_added_to_a_full_redis(own: Storage) -> None:
    images = Images(own)
    there = await images.keep_bytes(b"there", ttl=100)
    blob = Blob(key="1" * 64, media_type="image/png", bytes=PART + 1)
    made = NewBlob(blob, bytes(PART + 1), images=[there.blob.key])
    assert not await Renditions(own).keep([made], ttl=100)
    await fill(own.redis)
    for size in (10, PART, PART + 1):
        for kept in (False, True):
            spool = await Spool.of(os.urandom(size), own.scratch)
            with pytest.raises(OutOfMemoryError):
                await images.keep(spool, ttl=100, kept=kept)
            assert await images.find(spool.digest) is None
            await spool.close()

    assert await images.keep_bytes(b"there", ttl=1000) == there
    assert await own.redis.execute("TTL", keys.blob(Kind.IMAGE, there.blob.key)) > 900
    assert await Purge(own, longest=60).image(DEFAULT_PROJECT, there.blob.key)
    assert await Renditions(own).find(blob.key) is None


@pytest.mark.parametrize("own", ["file"], indirect=True)
async def test_a_rebuild_adds_no_record_to_a_full_redis(own: Storage) -> None:
    assert own.store is not None
    images, spool = Images(own), await Spool.of(b"x", own.scratch)
    stored = await images.keep(spool, ttl=100, kept=True)
    await KeptImages(own.redis, images).settle(stored, ttl=None)
    await own.redis.execute("FLUSHALL")
    await fill(own.redis)
    with pytest.raises(OutOfMemoryError):
        await Rebuild(own, own.store).run(lambda objects, size: None)
    assert await images.find(stored.blob.key) is None


async def fail_to_save(redis: RedisClient) -> None:
    """Have Redis refuse all that writes, as its last snapshot has failed."""
    await redis.execute("CONFIG", "SET", "save", "3600 1000")
    folder = (await redis.execute("CONFIG", "GET", "dir"))[b"dir"].decode()
    (Path(folder) / "dump.rdb").mkdir()
    await redis.execute("BGSAVE")

    async def has_failed() -> bool:
        return b"rdb_last_bgsave_status:err" in await redis.execute("INFO", "persistence")

    await until_answer(has_failed)


@pytest.mark.parametrize("broken", [fill, fail_to_save])
async def test_a_redis_that_takes_nothing_new_still_has_its_renditions(
    own: Storage, broken: Callable[[RedisClient], Awaitable[None]]
) -> None:
    images, renditions = Images(own), Renditions(own)
    key = (await images.keep_bytes(b"there", ttl=100)).blob.key
    blob = Blob(key="1" * 64, media_type="image/png", bytes=9)
    await renditions.keep([NewBlob(blob, b"rendition", images=[key])], ttl=50)
    await broken(own.redis)
    with pytest.raises(FULL):
        await own.redis.execute("SET", "something", "new")
    lookups = Lookups(own.redis, images, renditions)
    found = await lookups.find(
        Lookup(DEFAULT_PROJECT, [key], rendition=blob.key, ttl=500, bytes_of=Kind.RENDITION)
    )
    assert found is not None
    assert found.rendition is not None
    assert [one async for one in renditions.read(blob, seen=found.rendition)] == [b"rendition"]
