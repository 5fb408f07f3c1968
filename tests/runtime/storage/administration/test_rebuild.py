"""With Redis lost, sidecars bring every kept image back as it was, and nothing else."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.administration.rebuild import Rebuild, Rebuilt
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.parts import PART
from services.runtime.storage.purge import Purge
from services.runtime.storage.records import Kind, Place, StoredBlob, path_of
from services.runtime.storage.sidecar import sidecar_path
from services.runtime.storage.spool import Spool
from services.runtime.storage.usage import Count
from tests.runtime.storage.conftest import empty


async def keep(
    storage: Storage, data: bytes, *, ttl: int | None = None, label: str = ""
) -> StoredBlob:
    images = Images(storage)
    stored = await images.keep(await Spool.of(data, storage.scratch), ttl=100, kept=True)
    kept = await KeptImages(storage.redis, images).settle(stored, ttl=ttl, label=label)
    return kept.stored


async def rebuild(storage: Storage) -> Rebuilt:
    assert storage.store is not None
    return await Rebuild(storage, storage.store).run(lambda objects, size: None)


async def listed(redis: RedisClient) -> Mapping[bytes, float]:
    found = await redis.execute("ZRANGE", keys.images_of("default"), 0, -1, "WITHSCORES")
    return {key: score for key, score in found}


async def test_kept_images_are_as_before_in_records_list_and_counts(
    storage: Storage, redis: RedisClient
) -> None:
    images = Images(storage)
    first = await keep(storage, b"one", label="härbst <b>.jpg")
    second = await keep(storage, os.urandom(PART + 1), ttl=5000)
    passing = await images.keep_bytes(b"passing", ttl=100)
    ends = await redis.execute("PEXPIRETIME", keys.blob(Kind.IMAGE, second.blob.key))
    before = await listed(redis)
    await empty(redis)

    rebuilt = await rebuild(storage)
    assert (rebuilt.images, rebuilt.present, rebuilt.damaged) == (2, 0, [])
    assert await images.find(first.blob.key) == first
    assert await images.find(second.blob.key) == second
    assert await images.find(passing.blob.key) is None
    assert await redis.execute("TTL", keys.blob(Kind.IMAGE, first.blob.key)) == -1
    assert await redis.execute("PEXPIRETIME", keys.blob(Kind.IMAGE, second.blob.key)) == ends
    assert await listed(redis) == before
    assert await images.get(second.blob) is not None
    counts = await storage.usage.counts()
    assert counts[("default", Place.KEPT)] == Count(2, 3 + PART + 1)


async def test_a_second_rebuild_changes_nothing(storage: Storage, redis: RedisClient) -> None:
    stored = await keep(storage, b"x", label="first")
    await empty(redis)
    await rebuild(storage)
    await redis.execute("HSET", keys.blob(Kind.IMAGE, stored.blob.key), "label", "second")
    rebuilt = await rebuild(storage)
    assert (rebuilt.images, rebuilt.present) == (0, 1)
    found = await Images(storage).find(stored.blob.key)
    assert found is not None
    assert found.label == "second"
    assert (await storage.usage.counts())[("default", Place.KEPT)] == Count(1, 1)


async def test_an_image_that_came_with_a_render_meanwhile_is_kept_again(
    storage: Storage, redis: RedisClient
) -> None:
    images, data = Images(storage), b"x" * 100
    stored = await keep(storage, data)
    await empty(redis)
    await images.keep_bytes(data, ttl=100)
    assert await redis.execute("HLEN", keys.HOT) == 1
    await rebuild(storage)
    name = keys.blob(Kind.IMAGE, stored.blob.key)
    assert await images.find(stored.blob.key) == stored
    assert await redis.execute("TTL", name) == -1
    assert await redis.execute("HEXISTS", name, "data") == 0
    assert await redis.execute("HLEN", keys.HOT) == 0
    assert int(await redis.execute("GET", keys.HOT_BYTES)) == 0


async def test_an_image_whose_end_has_come_is_left_out(
    storage: Storage, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(storage, b"x", ttl=100)
    await empty(redis)
    later = time.time() + 200
    monkeypatch.setattr(time, "time", lambda: later)
    rebuilt = await rebuild(storage)
    assert (rebuilt.images, rebuilt.ended) == (0, 1)
    assert await listed(redis) == {}


async def test_a_deleted_image_does_not_come_back(storage: Storage, redis: RedisClient) -> None:
    """The image as a rebuild finds it: all of it is in the store."""
    assert storage.store is not None
    stored = await keep(storage, b"x")
    path = path_of(Place.KEPT, stored.blob.key)
    left = [piece async for piece in storage.store.read(sidecar_path(path))]
    await Purge(storage, longest=100).image(DEFAULT_PROJECT, stored.blob.key)
    await storage.store.put(path, b"x")
    await storage.store.put(sidecar_path(path), b"".join(left))
    assert (await rebuild(storage)).images == 0
    assert await Images(storage).find(stored.blob.key) is None


def break_files(file: Path, sidecar: Path, damage: str) -> None:
    match damage:
        case "not json":
            sidecar.write_bytes(b'{"project": "default", "bytes": ')
        case "bytes missing":
            file.unlink()
        case "bytes cut":
            file.write_bytes(b"ba")
        case "other project":
            sidecar.write_text(sidecar.read_text().replace('"default"', '"other"'))
        case "label":
            changed = json.loads(sidecar.read_text()) | {"label": "\x1b]0;not a label\x07"}
            sidecar.write_text(json.dumps(changed))


@pytest.mark.parametrize(
    "damage", ["not json", "bytes missing", "bytes cut", "other project", "label"]
)
async def test_damage_is_named_and_skipped(
    storage: Storage, redis: RedisClient, tmp_path: Path, damage: str
) -> None:
    good, bad = await keep(storage, b"good"), await keep(storage, b"bad")
    path = path_of(Place.KEPT, bad.blob.key)
    file = tmp_path / "store" / path
    break_files(file, Path(sidecar_path(str(file))), damage)
    await empty(redis)
    rebuilt = await rebuild(storage)
    assert rebuilt.damaged == [sidecar_path(path)]
    assert await Images(storage).find(good.blob.key) == good
    assert await Images(storage).find(bad.blob.key) is None


async def test_bytes_that_were_missing_and_are_restored_are_found_again(
    storage: Storage, tmp_path: Path
) -> None:
    stored = await keep(storage, b"x")
    file = tmp_path / "store" / path_of(Place.KEPT, stored.blob.key)
    backup = file.rename(tmp_path / "backup")
    assert await Images(storage).report_damaged(stored, "its bytes are missing")
    backup.rename(file)
    assert (await rebuild(storage)).images == 1
    assert await Images(storage).get(stored.blob) == b"x"
