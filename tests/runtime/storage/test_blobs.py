"""Blobs over both connections: what one stores the other finds."""

import asyncio
import os
from collections.abc import Iterator
from hashlib import sha256

import pytest
from redis.exceptions import ResponseError

from contracts.errors import Gone
from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.blocking import BlockingConnection
from services.runtime.redis.client import make_blocking_redis, make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.storage import parts
from services.runtime.storage.blobs import (
    SMALL,
    Blobs,
    BlockingBlobs,
    Judged,
    Kind,
    NewBlob,
    StoredBlob,
)
from services.runtime.storage.parts import PART, Parts

KEY, MISSING = "a" * 64, "b" * 64
IMAGE, RENDITION = keys.blob(Kind.IMAGE, KEY), keys.blob(Kind.RENDITION, KEY)


@pytest.fixture
def connection(redis_url: str) -> Iterator[BlockingConnection]:
    connection = make_blocking_redis(RuntimeSettings(redis_url=redis_url))
    connection.pipeline([("UNLINK", IMAGE, RENDITION)])
    yield connection
    connection.close()


def test_a_pool_process_stores_renditions_and_finds_images(connection: BlockingConnection) -> None:
    blobs, data = BlockingBlobs(connection), bytes(range(256))
    blob = Blob(key=KEY, media_type="image/png", bytes=len(data))
    connection.pipeline([("HSET", IMAGE, "data", data, "bytes", len(data))])
    missing = blobs.look({KEY: ()}, {MISSING: True}, capability="a", ttl=10)
    assert missing == ([None], [Judged(None, None)])
    blobs.keep([NewBlob(blob, data)], ttl=10)
    found = blobs.look({MISSING: (), KEY: ()}, {KEY: True, MISSING: True}, capability="a", ttl=20)
    assert found == ([None, StoredBlob(blob)], [Judged(data, None), Judged(None, None)])
    [left, kept] = connection.pipeline([("TTL", RENDITION), ("HGET", RENDITION, "data")])
    assert 10 < left <= 20
    assert kept == data


def test_a_verdict_lives_with_its_image_and_for_one_capability(
    connection: BlockingConnection,
) -> None:
    blobs, verdict = BlockingBlobs(connection), Blob(key=KEY, media_type="a/b", bytes=1)
    blobs.judge(KEY, verdict, capability="a")
    assert blobs.image(KEY) is None
    [left, _] = connection.pipeline([("TTL", IMAGE), ("UNLINK", IMAGE)])
    assert 0 < left <= 60, "a verdict alone does not stay"
    stored = ("HSET", IMAGE, "data", b"1", "bytes", 1)
    connection.pipeline([stored, ("EXPIRE", IMAGE, 10)])
    blobs.judge(KEY, verdict, capability="a")
    _, [judged] = blobs.look({}, {KEY: False}, capability="a", ttl=10)
    assert judged == Judged(None, verdict.model_dump_json().encode())
    _, [other] = blobs.look({}, {KEY: True}, capability="b", ttl=10)
    assert other == Judged(b"1", None)
    assert connection.pipeline([("TTL", IMAGE)]) == [10]


@pytest.mark.parametrize("size", [1, PART, PART + 1, 3 * PART, 3 * PART + 100])
async def test_a_blob_in_parts_is_the_same_over_both_connections(
    redis_url: str, connection: BlockingConnection, size: int
) -> None:
    redis, data = make_redis(RuntimeSettings(redis_url=redis_url)), os.urandom(size)
    images, renditions = Blobs(redis, Kind.IMAGE), Blobs(redis, Kind.RENDITION)
    image = await images.put(pieces(data), "image/png", key=KEY, ttl=10)
    rendition = Blob(key=KEY, media_type="image/png", bytes=size)
    BlockingBlobs(connection).keep([NewBlob(rendition, data)], ttl=10)

    assert BlockingBlobs(connection).image(KEY) == data
    for blobs, blob in ((images, image), (renditions, rendition)):
        assert await blobs.get(blob) == data
        for start, stop in ((0, 1), (size // 2, size), (PART - 1, PART + 1), (size - 1, size)):
            part = [piece async for piece in blobs.read(blob, start, min(stop, size))]
            assert b"".join(part) == data[start:stop]
        lengths = await redis.pipeline(
            [("HSTRLEN", IMAGE, parts.field(number)) for number in range(1 + size // PART)]
        )
        assert sum(lengths) == size
        assert max(lengths) <= PART
    await redis.close()


def test_a_large_blob_of_an_older_version_has_one_part(connection: BlockingConnection) -> None:
    data = os.urandom(3 * PART)
    connection.pipeline([("HSET", IMAGE, "data", data, "bytes", len(data))])
    _, [judged] = BlockingBlobs(connection).look({}, {KEY: True}, capability="a", ttl=10)
    assert judged == Judged(data, None)
    assert BlockingBlobs(connection).image(KEY) == data


async def test_a_large_blob_of_an_older_version_is_read_in_ranges(
    redis_url: str, connection: BlockingConnection
) -> None:
    data = os.urandom(3 * PART)
    connection.pipeline([("HSET", RENDITION, "data", data, "bytes", len(data))])
    redis = make_redis(RuntimeSettings(redis_url=redis_url))
    blobs, blob = Blobs(redis, Kind.RENDITION), Blob(key=KEY, media_type="a/b", bytes=len(data))
    assert await blobs.get(blob) == data
    part = [piece async for piece in blobs.read(blob, 2 * PART, 2 * PART + 5)]
    assert part == [data[2 * PART : 2 * PART + 5]]
    await redis.close()


async def test_an_upload_that_ends_half_way_is_no_blob_and_expires(
    redis_url: str, connection: BlockingConnection
) -> None:
    redis = make_redis(RuntimeSettings(redis_url=redis_url))
    blobs, body = Blobs(redis, Kind.IMAGE), Parts.of(os.urandom(200 * PART))
    task = asyncio.create_task(blobs.put(body, "image/png", key=KEY, ttl=1000))
    while not await redis.execute("HEXISTS", IMAGE, parts.field(2)):  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert await blobs.find(KEY) is None
    assert BlockingBlobs(connection).image(KEY) is None
    assert 0 < await redis.execute("TTL", IMAGE) <= 60
    await redis.close()


async def test_a_blob_that_expires_between_two_parts_is_gone(
    redis_url: str, connection: BlockingConnection
) -> None:
    redis = make_redis(RuntimeSettings(redis_url=redis_url))
    blobs = Blobs(redis, Kind.IMAGE)
    blob = await blobs.put(Parts.of(bytes(2 * PART)), "image/png", key=KEY, ttl=10)
    reading = blobs.read(blob)
    assert len(await anext(reading)) == PART
    connection.pipeline([("UNLINK", IMAGE)])
    with pytest.raises(Gone):
        await anext(reading)
    await redis.close()


def pieces(data: bytes) -> Parts:
    """The data as a socket delivers it."""
    received = Parts()
    for start in range(0, len(data), 100_001):
        received.add(data[start : start + 100_001])
    assert received.size == len(data)
    assert received.digest == sha256(data).hexdigest()
    return received


def test_an_error_of_redis_is_raised(connection: BlockingConnection) -> None:
    blobs = BlockingBlobs(connection)
    connection.pipeline([("SET", RENDITION, "no hash")])
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        blobs.look({KEY: ()}, {}, capability="a", ttl=10)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        blobs.keep([NewBlob(Blob(key=KEY, media_type="image/png", bytes=1), b"1")], ttl=10)


@pytest.mark.parametrize("size", [1, SMALL + 1])
async def test_small_and_large_blobs_are_stored_and_returned(redis_url: str, size: int) -> None:
    redis = make_redis(RuntimeSettings(redis_url=redis_url))
    await redis.execute("UNLINK", RENDITION)
    blobs, data = Blobs(redis, Kind.RENDITION), b"x" * size
    blob = await blobs.put(Parts.of(data), "image/webp", key=KEY, ttl=10)
    assert await blobs.get(blob) == data
    assert await blobs.find(KEY, ttl=100) == StoredBlob(blob)
    assert await redis.execute("TTL", RENDITION) > 10
    await redis.execute("UNLINK", RENDITION)
    assert await blobs.get(blob) is None
    await redis.close()
