"""Kept images: a list that is stable while it changes, and changes of labels and lives."""

import random
import time
from hashlib import sha256
from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Conflict
from contracts.imaging import Blob
from contracts.operations.pipeline import Pipeline
from services.runtime.jobs.store import Jobs
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.kept import Kept, KeptImages, Life, Page, Position
from services.runtime.storage.purge import Purge
from services.runtime.storage.records import Kind
from services.runtime.storage.sidecar import Sidecar, sidecar_path
from services.runtime.storage.spool import Spool

LIST = keys.images_of("default")


@pytest.fixture
def kept(storage: Storage) -> KeptImages:
    return KeptImages(storage.redis, Images(storage))


async def keep(storage: Storage, data: bytes, *, ttl: int | None = None, label: str = "") -> str:
    images, spool = Images(storage), await Spool.of(data, storage.scratch)
    try:
        stored = await images.keep(spool, ttl=100, kept=True, durable=False)
    finally:
        await spool.close()
    await KeptImages(storage.redis, images).settle(stored, ttl=ttl, label=label)
    return stored.blob.key


async def add_records(redis: RedisClient, *moments: int) -> list[str]:
    """Add records without bytes to the list; return their keys in the order of the list."""
    names = [sha256(bytes([number])).hexdigest() for number in range(len(moments))]
    for key, moment in zip(names, moments, strict=True):
        fields = ("bytes", 1, "media_type", "image/png", "created", moment)
        await redis.execute("HSET", keys.blob(Kind.IMAGE, key), *fields)
        await redis.execute("ZADD", LIST, moment, key)
    return [key for _, key in sorted(zip(moments, names, strict=True), reverse=True)]


def keys_of(page: Page) -> list[str]:
    return [one.stored.blob.key for one in page.images]


async def found(kept: KeptImages, key: str) -> Kept:
    one = await kept.find(key)
    assert one is not None
    return one


@pytest.mark.parametrize("most", [1, 2, 7, 100])
async def test_pages_have_each_image_once_newest_first_also_within_a_millisecond(
    kept: KeptImages, redis: RedisClient, most: int
) -> None:
    moments = [1_700_000_000_000 + number // 6 for number in range(20)]
    random.shuffle(moments)
    expected = await add_records(redis, *moments)

    listed, position = [], None
    while True:
        page = await kept.page(DEFAULT_PROJECT, most, position)
        listed += keys_of(page)
        if (position := page.next) is None:
            break
        assert len(page.images) == most
    assert listed == expected


async def test_what_is_deleted_and_uploaded_meanwhile_disturbs_no_page(
    storage: Storage, kept: KeptImages, redis: RedisClient
) -> None:
    expected = await add_records(redis, 5, 5, 5, 5, 4, 4, 3)
    first = await kept.page(DEFAULT_PROJECT, 3)
    assert keys_of(first) == expected[:3]
    # The image at the position, one before it and one after it go; a new one comes.
    for key in (expected[0], expected[2], expected[4]):
        await Purge(storage, longest=1).image(DEFAULT_PROJECT, key)
    await keep(storage, b"new")

    second = await kept.page(DEFAULT_PROJECT, 3, first.next)
    assert keys_of(second) == [expected[3], expected[5], expected[6]]
    assert second.next is None
    assert keys_of(await kept.page(DEFAULT_PROJECT, 9, Position(0, "0" * 64))) == []
    assert len(keys_of(await kept.page(DEFAULT_PROJECT, 9, Position(10**15, "f" * 64)))) == 5


async def test_an_image_that_has_expired_leaves_the_list_when_it_is_met(
    storage: Storage, kept: KeptImages, redis: RedisClient
) -> None:
    older, gone, newer = await add_records(redis, 3, 2, 1)
    await redis.execute("UNLINK", keys.blob(Kind.IMAGE, gone))
    page = await kept.page(DEFAULT_PROJECT, 2)
    assert keys_of(page) == [older]
    assert keys_of(await kept.page(DEFAULT_PROJECT, 2, page.next)) == [newer]
    assert await redis.execute("ZCARD", LIST) == 2

    # One that expires and is uploaded again before anybody has met it is listed as a new one.
    key = await keep(storage, b"again")
    await redis.execute("ZADD", LIST, 1, key)
    await redis.execute("UNLINK", keys.blob(Kind.IMAGE, key))
    await keep(storage, b"again")
    assert keys_of(await kept.page(DEFAULT_PROJECT, 1)) == [key]


async def test_a_page_takes_two_trips(
    kept: KeptImages, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_records(redis, *range(30))
    trips = []
    for name in ("execute", "script", "pipeline"):
        real = getattr(redis, name)

        async def counted(*arguments: Any, real: Any = real) -> object:
            trips.append(real)
            return await real(*arguments)

        monkeypatch.setattr(redis, name, counted)
    assert len((await kept.page(DEFAULT_PROJECT, 20)).images) == 20
    assert len(trips) == 2


async def test_a_label_and_a_life_are_changed_one_without_the_other(
    storage: Storage, kept: KeptImages
) -> None:
    key = await keep(storage, b"x", label="a.jpg")
    assert (await found(kept, key)).ends is None

    ends = time.time() * 1000 + 50_000
    changed = await kept.change(DEFAULT_PROJECT, key, life=50)
    assert changed == await found(kept, key)
    assert changed.stored.label == "a.jpg"
    assert changed.ends is not None
    assert abs(changed.ends - ends) < 5000
    assert await kept.change(DEFAULT_PROJECT, key, label="b.jpg") == await kept.change(
        DEFAULT_PROJECT, key
    )
    named = await found(kept, key)
    assert (named.stored.label, named.ends) == ("b.jpg", changed.ends)
    shorter = await kept.change(DEFAULT_PROJECT, key, life=5, label="")
    assert shorter is not None
    assert shorter.ends is not None
    assert shorter.ends < changed.ends
    assert shorter.stored.label == ""
    endless = await kept.change(DEFAULT_PROJECT, key, life=Life.ENDLESS)
    assert endless is not None
    assert endless.ends is None


async def test_a_change_is_in_the_sidecar_too(storage: Storage, kept: KeptImages) -> None:
    key = await keep(storage, b"x")
    changed = await kept.change(DEFAULT_PROJECT, key, label="Küche.jpg", life=60)
    assert changed is not None
    assert storage.store is not None
    path = sidecar_path(f"default/kept/{key[:2]}/{key[2:4]}/{key}")
    text = b"".join([piece async for piece in storage.store.read(path)])
    sidecar = Sidecar.model_validate_json(text)
    assert (sidecar.label, sidecar.ends) == ("Küche.jpg", changed.ends)


async def test_an_image_that_is_not_kept_has_neither(storage: Storage, kept: KeptImages) -> None:
    assert await kept.change(DEFAULT_PROJECT, "0" * 64, label="x") is None
    passing = await Images(storage).keep_bytes(b"passing", ttl=60)
    with pytest.raises(Conflict):
        await kept.change(DEFAULT_PROJECT, passing.blob.key, life=Life.ENDLESS)
    assert keys_of(await kept.page(DEFAULT_PROJECT, 10)) == []


async def test_a_shorter_life_never_takes_the_image_of_an_open_job(
    storage: Storage, kept: KeptImages, redis: RedisClient
) -> None:
    key = await keep(storage, b"x")
    blob = Blob(key=key, media_type="image/png", bytes=1)
    jobs = Jobs(redis, RuntimeSettings())
    job = await jobs.submit(blob.key, (Pipeline(),), submitter="me", timeout=500)
    assert job.deadline is not None
    changed = await kept.change(DEFAULT_PROJECT, key, life=1)
    await jobs.cancel(DEFAULT_PROJECT, job.id)
    assert changed is not None
    assert changed.ends is not None
    assert changed.ends >= job.deadline.timestamp() * 1000
