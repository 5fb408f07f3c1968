"""A purge deletes all renditions of an image, at any moment."""

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.blocking import BlockingConnection
from services.runtime.redis.client import RedisClient, make_blocking_redis, make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.blobs import Blobs, BlockingBlobs, Kind, NewBlob
from services.runtime.storage.parts import Parts
from services.runtime.storage.purge import Purge

IMAGE, LOGO = "1" * 64, "2" * 64


@pytest.fixture
def connection(redis_url: str) -> Iterator[BlockingConnection]:
    connection = make_blocking_redis(RuntimeSettings(redis_url=redis_url))
    yield connection
    connection.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    redis = make_redis(RuntimeSettings(redis_url=redis_url))
    yield redis
    for key in await redis.execute("KEYS", "darkroom:image:*"):
        await redis.execute("UNLINK", key)
    await redis.close()


def rendition(number: int, *images: str) -> NewBlob:
    blob = Blob(key=f"{number:064x}", media_type="image/png", bytes=3)
    return NewBlob(blob, b"abc", images=images or (IMAGE,))


async def is_there(redis: RedisClient, one: NewBlob) -> bool:
    return bool(await redis.execute("EXISTS", keys.blob(Kind.RENDITION, one.blob.key)))


async def test_more_renditions_than_one_step_deletes(
    redis: RedisClient, connection: BlockingConnection
) -> None:
    many = [rendition(number) for number in range(600)]
    other = rendition(1000, LOGO)
    BlockingBlobs(connection).keep([*many, other], ttl=60)

    assert await Purge(redis, longest=60).renditions(IMAGE) == 600
    assert not any([await is_there(redis, one) for one in many])
    assert await is_there(redis, other)
    assert await redis.execute("EXISTS", keys.renditions_of(IMAGE)) == 0


@pytest.mark.parametrize("purged", [IMAGE, LOGO])
async def test_a_rendition_that_comes_after_the_purge_is_not_kept_until_the_image_is_back(
    redis: RedisClient, connection: BlockingConnection, purged: str
) -> None:
    images, blobs = Blobs(redis, Kind.IMAGE), BlockingBlobs(connection)
    for key in (IMAGE, LOGO):
        await images.put(Parts.of(b"x"), "image/png", key=key, ttl=60)
    marked, plain = rendition(1, IMAGE, LOGO), rendition(2, "3" * 64)

    assert await Purge(redis, longest=60).image(purged)
    assert blobs.keep([marked, plain], ttl=60) == {marked.blob.key}
    assert not await is_there(redis, marked)
    assert await is_there(redis, plain)

    await images.put(Parts.of(b"x"), "image/png", key=purged, ttl=60)
    assert blobs.keep([marked], ttl=60) == set()
    assert await is_there(redis, marked)


async def test_the_index_lives_as_long_as_its_longest_rendition(
    redis: RedisClient, connection: BlockingConnection
) -> None:
    blobs, one = BlockingBlobs(connection), rendition(1, IMAGE, LOGO)
    blobs.keep([one], ttl=100)
    blobs.keep([rendition(2, IMAGE)], ttl=10)
    assert await redis.execute("TTL", keys.renditions_of(IMAGE)) > 90

    blobs.look({one.blob.key: [IMAGE, LOGO]}, {}, capability="a", ttl=1000)
    renditions = Blobs(redis, Kind.RENDITION)
    await renditions.find(one.blob.key, ttl=2000, images=[LOGO])
    for name, life in ((IMAGE, 990), (LOGO, 1990)):
        assert await redis.execute("TTL", keys.renditions_of(name)) > life


async def test_the_index_keeps_no_rendition_that_has_expired(
    redis: RedisClient, connection: BlockingConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs, (old, used, new) = BlockingBlobs(connection), map(rendition, (1, 2, 3))
    blobs.keep([old, used], ttl=100)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3000)
    blobs.look({used.blob.key: used.images}, {}, capability="a", ttl=100)
    monkeypatch.setattr(time, "time", lambda: now + 4000)
    blobs.keep([new], ttl=100)

    kept = await redis.execute("ZRANGE", keys.renditions_of(IMAGE), 0, -1)
    assert kept == [used.blob.key.encode(), new.blob.key.encode()]


async def test_nothing_is_stored_for_an_image_that_is_not_there(redis: RedisClient) -> None:
    assert not await Purge(redis, longest=60).image(IMAGE)
    assert await redis.execute("KEYS", f"*{IMAGE}*") == []


async def test_an_image_that_is_uploaded_again_during_a_purge_keeps_its_renditions(
    redis: RedisClient, connection: BlockingConnection
) -> None:
    images, blobs = Blobs(redis, Kind.IMAGE), BlockingBlobs(connection)

    class Interrupted(Purge):
        uploaded = False

        async def renditions(self, key: str) -> int:
            if not self.uploaded:
                self.uploaded = True
                await images.put(Parts.of(b"x"), "image/png", key=key, ttl=60)
            return await super().renditions(key)

    await images.put(Parts.of(b"x"), "image/png", key=IMAGE, ttl=60)
    assert await Interrupted(redis, longest=60).image(IMAGE)

    assert blobs.keep([rendition(1)], ttl=60) == set()
