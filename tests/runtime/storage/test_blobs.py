"""Blobs over both connections: what one stores the other finds."""

from collections.abc import Iterator

import pytest
from redis.exceptions import ResponseError

from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.blocking import BlockingConnection
from services.runtime.redis.client import make_blocking_redis, make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.blobs import SMALL, Blobs, BlockingBlobs, Kind, NewBlob, StoredBlob

KEY, MISSING = "a" * 64, "b" * 64
IMAGE, RENDITION = keys.blob(Kind.IMAGE, KEY), keys.blob(Kind.RENDITION, KEY)


@pytest.fixture
def connection(redis_url: str) -> Iterator[BlockingConnection]:
    connection = make_blocking_redis(RuntimeSettings(redis_url=redis_url))
    connection.pipeline([("UNLINK", IMAGE, RENDITION)])
    yield connection
    connection.close()


def test_a_pool_process_stores_renditions_and_finds_images(connection: BlockingConnection) -> None:
    blobs, data = BlockingBlobs(connection), bytes(range(256)) * 4096
    blob = Blob(key=KEY, media_type="image/png", bytes=len(data))
    connection.pipeline([("HSET", IMAGE, "data", data)])
    assert blobs.look([KEY], [MISSING], ttl=10) == ([None], [None])
    blobs.keep([NewBlob(blob, data)], ttl=10)
    assert blobs.look([MISSING, KEY], [KEY, MISSING], ttl=20) == (
        [None, StoredBlob(blob)],
        [data, None],
    )
    [left, kept] = connection.pipeline([("TTL", RENDITION), ("HGET", RENDITION, "data")])
    assert 10 < left <= 20
    assert kept == data
    blobs.forget_image(KEY)
    assert blobs.image(KEY) is None


def test_an_error_of_redis_is_raised(connection: BlockingConnection) -> None:
    blobs = BlockingBlobs(connection)
    connection.pipeline([("SET", RENDITION, "no hash")])
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        blobs.look([KEY], [], ttl=10)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        blobs.keep([NewBlob(Blob(key=KEY, media_type="image/png", bytes=1), b"1")], ttl=10)


@pytest.mark.parametrize("size", [1, SMALL + 1])
async def test_small_and_large_blobs_are_stored_and_returned(redis_url: str, size: int) -> None:
    redis = make_redis(RuntimeSettings(redis_url=redis_url))
    await redis.execute("UNLINK", RENDITION)
    blobs, data = Blobs(redis, Kind.RENDITION), b"x" * size
    blob = await blobs.put(data, "image/webp", key=KEY, ttl=10)
    assert await blobs.get(blob) == data
    assert await blobs.find(KEY, ttl=100) == StoredBlob(blob)
    assert await redis.execute("TTL", RENDITION) > 10
    assert await blobs.delete(KEY)
    assert not await blobs.delete(KEY)
    assert await blobs.get(blob) is None
    await redis.close()
