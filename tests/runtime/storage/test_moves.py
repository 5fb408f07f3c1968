"""Images whose bytes lie in Redis move to the store when they are read, and stay readable."""

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.parts import PART
from services.runtime.storage.records import Kind, Place, StoredBlob, path_of
from services.runtime.storage.sidecar import read_sidecar
from services.runtime.storage.spool import Spool
from services.runtime.storage.usage import Count
from tests.runtime.storage.conftest import MakeStorage

SIZES = (1, PART, 3 * PART + 100)


async def store_in_redis(make: MakeStorage, data: bytes, *, kept: bool = False) -> StoredBlob:
    """Store an image as a service with `redis:` does."""
    storage = make(store="redis:")
    images = Images(storage)
    spool = await Spool.of(data, storage.scratch)
    stored = await images.keep(spool, ttl=100, kept=kept)
    await spool.close()
    if kept:
        await KeptImages(storage.redis, images).settle(stored, ttl=None)
    return stored


async def fields_of(redis: RedisClient, key: str) -> set[bytes]:
    return set(await redis.execute("HKEYS", keys.blob(Kind.IMAGE, key)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("use", ["read", "open"])
async def test_an_image_moves_when_it_is_used(
    make: MakeStorage, redis: RedisClient, tmp_path: Path, size: int, use: str
) -> None:
    data = os.urandom(size)
    stored = await store_in_redis(make, data)
    if size <= PART:  # of an older version, or it could be hot
        await redis.execute("HDEL", keys.blob(Kind.IMAGE, stored.blob.key), "created")
        stored = replace(stored, created=0)
    storage = make()
    images = Images(storage)
    if use == "read":
        assert await images.get(stored.blob) == data
    else:
        file = await images.open(stored)
        assert os.pread(file.descriptor, size, 0) == data
        file.close()
    await storage.moves.settled()

    path = path_of(Place.PASSING, stored.blob.key)
    assert (tmp_path / "store" / path).read_bytes() == data
    found = await images.find(stored.blob.key)
    assert found is not None
    assert found.place is Place.PASSING
    assert not any(field.startswith(b"data") for field in await fields_of(redis, stored.blob.key))
    assert 0 < await redis.execute("TTL", keys.blob(Kind.IMAGE, stored.blob.key)) <= 100
    assert (await storage.usage.counts())[("default", Place.PASSING)] == Count(1, size)
    assert await images.get(stored.blob) == data


async def test_a_kept_image_moves_with_a_sidecar(make: MakeStorage) -> None:
    stored = await store_in_redis(make, b"x", kept=True)
    storage = make()
    assert storage.store is not None
    assert [key async for key in storage.moves.find_all()] == [stored.blob.key]
    assert await storage.moves.move(stored.blob.key) == 1
    sidecar = await read_sidecar(storage.store, path_of(Place.KEPT, stored.blob.key))
    assert (sidecar.bytes, sidecar.created, sidecar.ends) == (1, stored.created, None)
    assert [key async for key in storage.moves.find_all()] == []


async def test_an_image_of_an_older_version_in_one_part_moves(
    make: MakeStorage, redis: RedisClient
) -> None:
    data = os.urandom(2 * PART)
    key = sha256(data).hexdigest()
    name = keys.blob(Kind.IMAGE, key)
    await redis.execute("HSET", name, "data", data, "bytes", len(data), "media_type", "image/png")
    await redis.execute("EXPIRE", name, 100)
    storage = make()
    assert await storage.moves.move(key) == len(data)
    blob = Blob(key=key, media_type="image/png", bytes=len(data))
    assert await Images(storage).get(blob) == data


async def test_a_reader_in_the_middle_of_a_move_gets_all_bytes(make: MakeStorage) -> None:
    data = os.urandom(3 * PART)
    stored = await store_in_redis(make, data)
    storage = make()
    pieces = Images(storage).read(stored.blob)
    received = await anext(pieces)
    await storage.moves.settled()
    received += b"".join([piece async for piece in pieces])
    assert received == data
    found = await Images(storage).find(stored.blob.key)
    assert found is not None
    assert (found.place, found.damaged) == (Place.PASSING, False)


async def test_a_hot_image_stays(storage: Storage, redis: RedisClient) -> None:
    stored = await Images(storage).keep_bytes(b"x", ttl=100)
    assert await redis.execute("HLEN", keys.HOT) == 1
    assert await Images(storage).get(stored.blob) == b"x"
    await storage.moves.settled()
    assert b"data" in await fields_of(redis, stored.blob.key)
    assert [key async for key in storage.moves.find_all()] == []
    assert await storage.moves.move(stored.blob.key) is None


async def test_a_damaged_image_stays_where_it_is(make: MakeStorage, redis: RedisClient) -> None:
    stored = await store_in_redis(make, b"x")
    await redis.execute("HSET", keys.blob(Kind.IMAGE, stored.blob.key), "data", b"y")
    storage = make()
    assert await storage.moves.move(stored.blob.key) is None
    assert b"data" in await fields_of(redis, stored.blob.key)
