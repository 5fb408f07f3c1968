"""A purge deletes an image and all renditions of it, at any moment, and their bytes."""

import asyncio
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Unavailable
from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.administration.sweeper import Sweeper
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.parts import PART
from services.runtime.storage.purge import Purge
from services.runtime.storage.records import Kind, NewBlob, Place, path_of
from services.runtime.storage.render_claims import Held
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.spool import Spool
from tests.processes import until_answer

IMAGE, LOGO = "1" * 64, "2" * 64


def rendition(number: int, *images: str, data: bytes = b"abc") -> NewBlob:
    blob = Blob(key=f"{number:064x}", media_type="image/png", bytes=len(data))
    return NewBlob(blob, data, images=images or (IMAGE,))


async def is_there(redis: RedisClient, one: NewBlob) -> bool:
    return bool(await redis.execute("EXISTS", keys.blob(Kind.RENDITION, one.blob.key)))


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "store" / "default").rglob("*") if path.is_file()]


async def test_more_renditions_than_one_step_deletes(
    storage: Storage, redis: RedisClient, tmp_path: Path
) -> None:
    many = [rendition(number) for number in range(600)]
    large, other = rendition(600, data=bytes(PART + 1)), rendition(1000, LOGO)
    await Renditions(storage).keep([*many, large, other], ttl=60)
    assert len(files(tmp_path)) == 1

    assert await Purge(storage, longest=60).renditions(DEFAULT_PROJECT, IMAGE) == 601
    assert not any([await is_there(redis, one) for one in (*many, large)])
    assert files(tmp_path) == []
    assert await is_there(redis, other)
    assert await redis.execute("EXISTS", keys.renditions_of(IMAGE)) == 0
    assert all(count.bytes == 0 for count in (await storage.usage.counts()).values())


async def test_nothing_is_left_of_a_deleted_image(
    storage: Storage, redis: RedisClient, tmp_path: Path
) -> None:
    images, data = Images(storage), os.urandom(PART + 1)
    passing = await images.keep_bytes(data, ttl=60)
    spool = await Spool.of(data, storage.scratch)
    kept = await images.keep(spool, ttl=60, kept=True)
    await KeptImages(redis, images).settle(kept, ttl=None, label="a")
    await images.describe(kept.blob, "image/png", kept.blob, kept.blob, ttl=60)
    large = rendition(1, kept.blob.key, data=bytes(PART + 1))
    await Renditions(storage).keep([large], ttl=60)
    assert len(files(tmp_path)) == 4, "kept, with its sidecar, as it passed, and its rendition"

    assert await Purge(storage, longest=60).image(DEFAULT_PROJECT, passing.blob.key)
    assert files(tmp_path) == []
    left = [key.decode() for key in await redis.execute("KEYS", f"*{kept.blob.key}*")]
    assert left == [keys.purged(kept.blob.key)]
    assert await redis.execute("ZCARD", keys.images_of("default")) == 0
    assert await redis.execute("ZCARD", keys.STORE_DELETING) == 0


@pytest.mark.parametrize("purged", [IMAGE, LOGO])
async def test_a_rendition_that_comes_after_the_purge_is_not_kept_until_the_image_is_back(
    either: Storage, redis: RedisClient, purged: str
) -> None:
    images, renditions = Images(either), Renditions(either)
    keys_of = {IMAGE: b"an image", LOGO: b"a logo"}
    stored = {name: await images.keep_bytes(data, ttl=60) for name, data in keys_of.items()}
    marked = rendition(1, *(one.blob.key for one in stored.values()))
    plain = rendition(2, "3" * 64)

    assert await Purge(either, longest=60).image(DEFAULT_PROJECT, stored[purged].blob.key)
    assert await renditions.keep([marked, plain], ttl=60) == {marked.blob.key}
    assert not await is_there(redis, marked)
    assert await is_there(redis, plain)

    await images.keep_bytes(keys_of[purged], ttl=60)
    assert await renditions.keep([marked], ttl=60) == set()
    assert await is_there(redis, marked)


async def test_a_claim_ends_when_its_rendition_is_stored_and_not_after_a_purge(
    either: Storage, redis: RedisClient
) -> None:
    images, renditions = Images(either), Renditions(either)
    image = (await images.keep_bytes(b"an image", ttl=60)).blob.key
    one, ends = rendition(1, image), list[bool]()
    name = keys.render_claim(one.blob.key)
    claim = Held(name, "me", ends.append)

    for value in ("me", "me+", "another"):
        await redis.execute("SET", name, value)
        assert await renditions.keep([one], ttl=60, claim=claim) == set()
        assert await redis.execute("GET", name) == (b"another" if value == "another" else None)
    assert ends == [False, True, False]

    await redis.execute("SET", name, "me")
    assert await Purge(either, longest=60).image(DEFAULT_PROJECT, image)
    assert await renditions.keep([one], ttl=60, claim=claim) == {one.blob.key}
    assert await redis.execute("GET", name) == b"me"
    assert len(ends) == 3


async def test_the_index_lives_as_long_as_its_longest_rendition(
    storage: Storage, redis: RedisClient
) -> None:
    renditions, one = Renditions(storage), rendition(1, IMAGE, LOGO)
    await renditions.keep([one], ttl=100)
    await renditions.keep([rendition(2, IMAGE)], ttl=10)
    assert await redis.execute("TTL", keys.renditions_of(IMAGE)) > 90

    await renditions.look({one.blob.key: [IMAGE, LOGO]}, ttl=1000)
    await renditions.find(one.blob.key, ttl=2000, images=[LOGO])
    for name, life in ((IMAGE, 990), (LOGO, 1990)):
        assert await redis.execute("TTL", keys.renditions_of(name)) > life


async def test_the_index_keeps_no_rendition_that_has_expired(
    storage: Storage, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    renditions, (old, used, new) = Renditions(storage), map(rendition, (1, 2, 3))
    await renditions.keep([old, used], ttl=100)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3000)
    await renditions.look({used.blob.key: used.images}, ttl=100)
    monkeypatch.setattr(time, "time", lambda: now + 4000)
    await renditions.keep([new], ttl=100)

    kept = await redis.execute("ZRANGE", keys.renditions_of(IMAGE), 0, -1)
    assert kept == [used.blob.key.encode(), new.blob.key.encode()]


async def test_nothing_is_stored_for_an_image_that_is_not_there(
    storage: Storage, redis: RedisClient
) -> None:
    assert not await Purge(storage, longest=60).image(DEFAULT_PROJECT, IMAGE)
    assert await redis.execute("KEYS", f"*{IMAGE}*") == []


@pytest.mark.parametrize("kept", [False, True])
async def test_a_deletion_between_the_bytes_and_the_record_loses_no_image(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    images, store = Images(storage), storage.store
    assert store is not None
    put, data = store.put, os.urandom(PART + 1)

    async def put_and_purge(path: str, content: bytes | Path, *, durable: bool = True) -> None:
        await put(path, content, durable=durable)
        await Purge(storage, longest=60).image(DEFAULT_PROJECT, path.rpartition("/")[2])

    async def upload() -> Blob:
        spool = await Spool.of(data, storage.scratch)
        try:
            return (await images.keep(spool, ttl=60, kept=kept)).blob
        finally:
            await spool.close()

    with monkeypatch.context() as patch:
        patch.setattr(store, "put", put_and_purge)
        with pytest.raises(Unavailable):
            await upload()
    assert await images.get(await upload()) == data


async def test_a_rendition_that_is_made_while_an_older_one_is_deleted_has_its_bytes(
    storage: Storage, redis: RedisClient
) -> None:
    renditions, store = Renditions(storage), storage.store
    assert store is not None
    one = rendition(1, data=os.urandom(PART + 1))
    path = path_of(Place.RENDITIONS, one.blob.key)
    await redis.execute("ZADD", keys.STORE_DELETING, 1, path)
    keeping = asyncio.create_task(renditions.keep([one], ttl=60))
    await until_answer(partial(is_there, redis, one))
    await store.delete([path])
    await redis.execute("ZREM", keys.STORE_DELETING, path)
    assert await keeping == set()
    assert await renditions.get(one.blob) == one.data


async def test_bytes_of_renditions_are_noted_while_they_are_deleted(
    storage: Storage, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, store = rendition(1, data=os.urandom(PART + 1)), storage.store
    assert store is not None
    await Renditions(storage).keep([one], ttl=60)
    noted: list[object] = []

    async def delete(paths: Sequence[str]) -> None:
        noted.append(await redis.execute("ZSCORE", keys.STORE_DELETING, *paths))

    monkeypatch.setattr(store, "delete", delete)
    assert await Purge(storage, longest=60).renditions(DEFAULT_PROJECT, IMAGE) == 1
    assert noted != [None]
    assert await redis.execute("ZCARD", keys.STORE_DELETING) == 0


async def test_bytes_that_the_store_could_not_delete_are_deleted_later(
    storage: Storage, redis: RedisClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = Images(storage)
    spool = await Spool.of(b"x", storage.scratch)
    kept = await images.keep(spool, ttl=60, kept=True)
    await KeptImages(redis, images).settle(kept, ttl=None)
    store = storage.store
    assert store is not None

    async def refuse(paths: object) -> None:
        raise Unavailable("The bucket is away.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "delete", refuse)
        assert await Purge(storage, longest=60).image(DEFAULT_PROJECT, kept.blob.key)
        assert await images.find(kept.blob.key) is None
        assert len(files(tmp_path)) == 2
        # Nobody may store the same bytes now: they would be deleted with the old ones.
        patch.setattr("services.runtime.storage.images._LONGEST_DELETION", 0.3)
        with pytest.raises(Unavailable):
            await images.keep(spool, ttl=60)
    await redis.execute("ZADD", keys.STORE_DELETING, "XX", 1, *await paths_of(redis))
    await Sweeper(storage, store, grace=60).finish_deletions()
    assert files(tmp_path) == []
    assert (await images.keep(spool, ttl=60)).blob == kept.blob


async def paths_of(redis: RedisClient) -> list[bytes]:
    found: list[bytes] = await redis.execute("ZRANGE", keys.STORE_DELETING, 0, -1)
    return found
