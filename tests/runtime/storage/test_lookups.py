"""A lookup finds in one trip what several commands would, and changes no more than they do."""

import math
import os

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Gone
from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.lookups import ALONG, Lookup, Lookups
from services.runtime.storage.parts import PART
from services.runtime.storage.records import Kind, NewBlob, StoredBlob
from services.runtime.storage.renditions import Renditions

KEY = "f" * 64
DATA = os.urandom(1000)


def lookups(storage: Storage) -> Lookups:
    return Lookups(storage.redis, Images(storage), Renditions(storage))


async def stored_images(storage: Storage, *lives: int) -> list[StoredBlob]:
    images = Images(storage)
    return [await images.keep_bytes(f"image {life}".encode(), ttl=life) for life in lives]


async def keep(storage: Storage, images: list[str], data: bytes = DATA, ttl: int = 100) -> Blob:
    blob = Blob(key=KEY, media_type="image/png", bytes=len(data))
    await Renditions(storage).keep([NewBlob(blob, data, images=images)], ttl=ttl)
    return blob


async def test_the_records_are_those_that_are_found_one_by_one(either: Storage) -> None:
    stored = await stored_images(either, 500, 300)
    names = [one.blob.key for one in stored]
    blob = await keep(either, names)

    found = await lookups(either).find(
        Lookup(DEFAULT_PROJECT, names, rendition=KEY, ttl=50, bytes_of=Kind.RENDITION)
    )

    assert found is not None
    assert found.image.stored == await Images(either).find(names[0])
    assert 250 < found.life <= 300
    assert found.rendition is not None
    assert found.rendition.stored == await Renditions(either).find(KEY)
    assert found.rendition.stored.blob == blob
    assert found.rendition.part == DATA
    assert 50 < found.rendition.stored.life <= 100


async def test_a_found_rendition_and_its_place_in_the_indexes_live_longer(
    either: Storage, redis: RedisClient
) -> None:
    names = [one.blob.key for one in await stored_images(either, 500, 300)]
    await keep(either, names, ttl=10)
    indexes = [keys.renditions_of(name) for name in names]
    ends = [float(await redis.execute("ZSCORE", index, KEY)) for index in indexes]
    for ttl, left in ((200, 200), (20, 200)):
        await lookups(either).find(Lookup(DEFAULT_PROJECT, names, rendition=KEY, ttl=ttl))
        for index, end in zip(indexes, ends, strict=True):
            assert abs(float(await redis.execute("ZSCORE", index, KEY)) - end - left + 10) < 50
        for name in (keys.blob(Kind.RENDITION, KEY), *indexes):
            assert abs(await redis.execute("TTL", name) - left) < 50


async def test_nothing_is_written_about_a_rendition_that_is_not_there(
    either: Storage, redis: RedisClient
) -> None:
    [image] = await stored_images(either, 500)
    found = await lookups(either).find(
        Lookup(DEFAULT_PROJECT, [image.blob.key], rendition=KEY, ttl=100)
    )
    assert found is not None
    assert found.rendition is None
    assert await redis.execute("KEYS", "darkroom:rendition:*") == []
    assert await redis.execute("EXISTS", keys.renditions_of(image.blob.key)) == 0


async def test_a_rendition_of_an_image_that_is_gone_does_not_live_longer(
    either: Storage, redis: RedisClient
) -> None:
    await keep(either, ["0" * 64], ttl=10)
    assert (
        await lookups(either).find(Lookup(DEFAULT_PROJECT, ["0" * 64], rendition=KEY, ttl=100))
        is None
    )
    assert await redis.execute("TTL", keys.blob(Kind.RENDITION, KEY)) <= 10


async def test_an_image_that_is_gone_ends_what_was_made_from_it(either: Storage) -> None:
    [image] = await stored_images(either, 500)
    names = [image.blob.key, "0" * 64]
    await keep(either, names)
    found = await lookups(either).find(Lookup(DEFAULT_PROJECT, names, rendition=KEY, ttl=100))
    assert found is not None
    assert found.life == 0


async def test_an_image_without_an_end_has_an_infinite_life(
    either: Storage, redis: RedisClient
) -> None:
    [image] = await stored_images(either, 500)
    await redis.execute("PERSIST", keys.blob(Kind.IMAGE, image.blob.key))
    found = await lookups(either).find(Lookup(DEFAULT_PROJECT, [image.blob.key]))
    assert found is not None
    assert math.isinf(found.life)


async def test_only_bytes_that_lie_in_redis_and_are_few_come_along(
    either: Storage, redis: RedisClient
) -> None:
    renditions = Renditions(either)
    [image] = await stored_images(either, 500)
    for size, few in ((1, True), (ALONG, True), (ALONG + 1, False), (3 * PART, False)):
        data = os.urandom(size)
        blob = await keep(either, [image.blob.key], data)
        found = await lookups(either).find(
            Lookup(
                DEFAULT_PROJECT, [image.blob.key], rendition=KEY, ttl=100, bytes_of=Kind.RENDITION
            )
        )
        assert found is not None
        assert found.rendition is not None
        assert (found.rendition.part is not None) == few, size
        pieces = [one async for one in renditions.read(blob, seen=found.rendition)]
        assert b"".join(pieces) == data


async def test_bytes_that_move_after_the_lookup_are_found(storage: Storage) -> None:
    renditions = Renditions(storage)
    [image] = await stored_images(storage, 500)
    blob = await keep(storage, [image.blob.key])
    found = await lookups(storage).find(
        Lookup(DEFAULT_PROJECT, [image.blob.key], rendition=KEY, ttl=100)
    )
    await storage.hot.move(f"rendition:{KEY}")
    assert found is not None
    assert [one async for one in renditions.read(blob, seen=found.rendition)] == [DATA]
    moved = await lookups(storage).find(
        Lookup(DEFAULT_PROJECT, [image.blob.key], rendition=KEY, ttl=100)
    )
    assert moved is not None
    await keep(storage, [image.blob.key])
    assert storage.store is not None
    await storage.store.delete([f"default/renditions/ff/ff/{KEY}"])
    assert [one async for one in renditions.read(blob, seen=moved.rendition)] == [DATA]


async def test_a_result_that_is_made_anew_after_the_lookup_is_not_taken_for_a_damaged_one(
    storage: Storage,
) -> None:
    renditions, anew = Renditions(storage), os.urandom(len(DATA))
    [image] = await stored_images(storage, 500)
    await keep(storage, [image.blob.key])
    await storage.hot.move(f"rendition:{KEY}")
    found = await lookups(storage).find(
        Lookup(DEFAULT_PROJECT, [image.blob.key], rendition=KEY, ttl=100)
    )
    assert found is not None
    blob = await keep(storage, [image.blob.key], anew)
    await storage.hot.move(f"rendition:{KEY}")

    with pytest.raises(Gone):
        _ = [one async for one in renditions.read(blob, seen=found.rendition)]

    assert await renditions.get(blob) == anew
    registry = storage.metrics.registry
    assert not registry.get_sample_value("darkroom_corrupt_blobs_total", {"kind": "rendition"})
