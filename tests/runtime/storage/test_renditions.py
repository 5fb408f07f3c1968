"""Renditions stay in Redis while they are small and used, and lie in the store otherwise."""

import asyncio
import math
import os
from pathlib import Path

import pytest

from contracts.errors import Gone
from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.blobs import Storage
from services.runtime.storage.parts import PART
from services.runtime.storage.records import Kind, NewBlob, Place, path_of
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.usage import Count
from tests.runtime.storage.conftest import MakeStorage

IMAGE = "1" * 64


def rendition(number: int, data: bytes) -> NewBlob:
    return NewBlob(
        Blob(key=f"{number:064x}", media_type="image/png", bytes=len(data)), data, images=(IMAGE,)
    )


async def read_into(received: bytearray, renditions: Renditions, blob: Blob) -> None:
    async for piece in renditions.read(blob):
        received += piece


def record(one: NewBlob) -> str:
    return keys.blob(Kind.RENDITION, one.blob.key)


@pytest.mark.parametrize("size", [1, PART, PART + 1, 3 * PART + 100])
async def test_a_rendition_is_read_as_it_was_stored(either: Storage, size: int) -> None:
    renditions, one = Renditions(either), rendition(1, os.urandom(size))
    assert await renditions.keep([one], ttl=100) == set()
    assert await renditions.get(one.blob) == one.data
    [found, missing] = await renditions.look({one.blob.key: [IMAGE], "0" * 64: []}, ttl=200)
    assert found is not None
    assert (found.blob, missing) == (one.blob, None)
    in_store = either.store is not None and size > PART
    assert found.place == (Place.RENDITIONS if in_store else None)
    assert await renditions.keep([], ttl=1) == set()


async def test_a_rendition_that_is_stored_again_has_its_new_bytes(
    storage: Storage, redis: RedisClient
) -> None:
    """Small ones and large ones take each other's place."""
    renditions = Renditions(storage)
    for size in (100, PART + 1, 200, 300, PART + 2):
        one = rendition(1, os.urandom(size))
        await renditions.keep([one], ttl=100)
        assert await renditions.get(one.blob) == one.data
    assert await redis.execute("HEXISTS", record(one), "data") == 0


async def test_beyond_the_limit_the_least_used_renditions_move_to_the_store(
    make: MakeStorage, redis: RedisClient, tmp_path: Path
) -> None:
    storage = make(hot_bytes=100_000)
    renditions = Renditions(storage)
    many = [rendition(number, os.urandom(5000)) for number in range(60)]
    for one in many:
        await renditions.keep([one], ttl=100)
    await storage.hot.settled()

    hot = int(await redis.execute("GET", keys.HOT_BYTES))
    assert 0 < hot <= 100_000
    assert hot == sum(map(int, await redis.execute("HVALS", keys.HOT)))
    moved = list((tmp_path / "store" / "default" / "renditions").glob("*/*/*"))
    assert len(moved) == 60 - hot // 5000
    for one in many:
        assert await renditions.get(one.blob) == one.data
    counts = await storage.usage.counts()
    assert counts[("default", Place.RENDITIONS)].objects == len(moved)


async def test_expired_renditions_make_room_before_living_ones_move(
    make: MakeStorage, redis: RedisClient, tmp_path: Path
) -> None:
    storage = make(hot_bytes=100_000)
    renditions = Renditions(storage)
    expired = [rendition(number, os.urandom(5000)) for number in range(18)]
    await renditions.keep(expired, ttl=100)
    await redis.execute("UNLINK", *map(record, expired))
    living = [rendition(number, os.urandom(5000)) for number in range(20, 26)]
    for one in living:
        await renditions.keep([one], ttl=100)
        await storage.hot.settled()
    assert int(await redis.execute("GET", keys.HOT_BYTES)) <= 100_000
    assert not (tmp_path / "store" / "default").exists()


@pytest.mark.parametrize("size", [PART + 1, 4 * PART])
async def test_a_damaged_rendition_is_not_there_any_more(
    storage: Storage, tmp_path: Path, size: int
) -> None:
    renditions, one = Renditions(storage), rendition(1, os.urandom(size))
    await renditions.keep([one], ttl=100)
    path = tmp_path / "store" / path_of(Place.RENDITIONS, one.blob.key)
    path.write_bytes(bytes(size))
    received = bytearray()
    with pytest.raises(Gone):
        await read_into(received, renditions, one.blob)
    assert len(received) < size
    assert await renditions.find(one.blob.key) is None, "it is made anew"
    assert 'darkroom_corrupt_blobs_total{kind="rendition"} 1.0' in storage.metrics.text().decode()


async def test_a_rendition_whose_bytes_are_missing_is_made_anew(
    storage: Storage, tmp_path: Path
) -> None:
    renditions, one = Renditions(storage), rendition(1, os.urandom(PART + 1))
    await renditions.keep([one], ttl=100)
    (tmp_path / "store" / path_of(Place.RENDITIONS, one.blob.key)).unlink()
    assert await renditions.get(one.blob) is None
    assert await renditions.find(one.blob.key) is None


async def test_a_rendition_that_moves_while_it_is_read(
    storage: Storage, redis: RedisClient
) -> None:
    """A reader asks a second time for bytes that left Redis after its first look."""
    renditions, one = Renditions(storage), rendition(1, os.urandom(1000))
    await renditions.keep([one], ttl=100)
    for _ in range(20):
        moving = asyncio.create_task(storage.hot.move(f"rendition:{one.blob.key}"))
        assert await renditions.get(one.blob) == one.data
        await moving
        assert await renditions.get(one.blob) == one.data
        await renditions.keep([one], ttl=100)


async def test_a_rendition_that_is_stored_again_counts_once(storage: Storage) -> None:
    renditions = Renditions(storage)
    for size in (PART + 1, PART + 2, PART + 3):
        await renditions.keep([rendition(1, os.urandom(size))], ttl=100)
    counts = await storage.usage.counts()
    assert counts[("default", Place.RENDITIONS)] == Count(1, PART + 3)


async def test_a_hot_rendition_that_is_stored_again_counts_once(
    storage: Storage, redis: RedisClient
) -> None:
    renditions = Renditions(storage)
    for size in (1000, 3000, 2000):
        await renditions.keep([rendition(1, os.urandom(size)), rendition(2, b"x")], ttl=100)
    assert await redis.execute("GET", keys.HOT_BYTES) == b"2001"


async def test_the_index_of_an_image_lives_as_long_as_its_last_rendition(
    storage: Storage, redis: RedisClient
) -> None:
    renditions, index = Renditions(storage), keys.renditions_of(IMAGE)
    for number, ttl in ((1, 100), (2, 300), (3, 200)):
        await renditions.keep([rendition(number, b"x")], ttl=ttl)
    assert 200 < await redis.execute("TTL", index) <= 300
    assert 150 < await redis.execute("TTL", record(rendition(3, b"x"))) <= 200
    assert await redis.execute("ZCARD", index) == 3


async def test_nothing_is_hot_without_room_for_it(make: MakeStorage, redis: RedisClient) -> None:
    await Renditions(make(hot_bytes=1)).keep([rendition(1, b"xyz")], ttl=100)
    assert await redis.execute("EXISTS", keys.HOT, keys.HOT_BYTES) == 0


async def test_a_small_rendition_stays_while_older_bytes_of_it_are_deleted(
    storage: Storage, redis: RedisClient
) -> None:
    renditions, one = Renditions(storage), rendition(1, os.urandom(1000))
    await renditions.keep([one], ttl=100)
    path, name = path_of(Place.RENDITIONS, one.blob.key), f"rendition:{one.blob.key}"
    await redis.execute("ZADD", keys.STORE_DELETING, 1, path)
    await storage.hot.move(name)
    assert await redis.execute("HGET", record(one), "data") == one.data
    assert await redis.execute("HGET", keys.HOT, name) == b"1000"

    await redis.execute("ZREM", keys.STORE_DELETING, path)
    await storage.hot.move(name)
    assert await redis.execute("HEXISTS", record(one), "data") == 0
    assert await renditions.get(one.blob) == one.data


async def test_a_rendition_that_is_found_says_how_long_it_lives(
    storage: Storage, redis: RedisClient
) -> None:
    renditions, one = Renditions(storage), rendition(1, b"bytes")
    await renditions.keep([one], ttl=100)
    for ttl, life in ((None, 100), (300, 300)):
        found = await renditions.find(one.blob.key, ttl=ttl)
        assert found is not None
        assert life - 50 < found.life <= life
    await redis.execute("PERSIST", record(one))
    endless, missing = await renditions.lives([one.blob.key, "0" * 64])
    assert (endless, missing) == (math.inf, 0)
