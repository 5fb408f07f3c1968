"""A sweep deletes what nobody needs, and nothing else."""

import os
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest

from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.administration.sweeper import Findings, Sweeper
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.parts import PART
from services.runtime.storage.records import Kind, NewBlob, Place, StoredBlob, path_of
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.sidecar import sidecar_path
from services.runtime.storage.spool import Spool
from services.runtime.storage.usage import Count

GRACE = 1000.0


async def keep(storage: Storage, data: bytes, *, ttl: int | None = None) -> StoredBlob:
    images, spool = Images(storage), await Spool.of(data, storage.scratch)
    stored = await images.keep(spool, ttl=100, kept=True)
    return (await KeptImages(storage.redis, images).settle(stored, ttl=ttl)).stored


def file(folder: Path, place: Place, key: str) -> Path:
    return folder / "store" / path_of(place, key)


def files(folder: Path) -> set[Path]:
    return {path for path in (folder / "store" / "default").rglob("*") if path.is_file()}


def grow_old(folder: Path) -> None:
    """Make everything in the store older than the grace."""
    then = time.time() - GRACE - 10
    for path in files(folder):
        os.utime(path, (then, then))


async def forget(redis: RedisClient, kind: Kind, key: str) -> None:
    await redis.execute("UNLINK", keys.blob(kind, key))


async def sweep(storage: Storage, *, dry_run: bool = False) -> Findings:
    assert storage.store is not None
    return await Sweeper(storage, storage.store, grace=GRACE).sweep(dry_run=dry_run)


async def fill(storage: Storage) -> tuple[StoredBlob, StoredBlob, NewBlob]:
    """Store a kept image, a passing one and a rendition, whose bytes are all in the store."""
    kept = await keep(storage, os.urandom(10))
    passing = await Images(storage).keep_bytes(os.urandom(PART + 1), ttl=100)
    data = os.urandom(PART + 1)
    made = NewBlob(Blob(key="9" * 64, media_type="image/png", bytes=len(data)), data)
    await Renditions(storage).keep([made], ttl=100)
    return kept, passing, made


async def test_a_sweep_leaves_everything_that_has_a_record(
    storage: Storage, tmp_path: Path
) -> None:
    await fill(storage)
    grow_old(tmp_path)
    before = files(tmp_path)
    findings = await sweep(storage)
    assert files(tmp_path) == before
    assert (findings.orphans, findings.unrecorded.number, findings.lost.number) == (0, 0, 0)
    assert await storage.usage.counts() == findings.counts
    assert findings.counts[("default", Place.KEPT)] == Count(1, 10)


async def test_expired_images_and_renditions_are_deleted_when_they_are_old(
    storage: Storage, redis: RedisClient, tmp_path: Path
) -> None:
    kept, passing, made = await fill(storage)
    await forget(redis, Kind.IMAGE, passing.blob.key)
    await forget(redis, Kind.RENDITION, made.blob.key)
    before = files(tmp_path)
    assert (await sweep(storage)).orphans == 0
    assert files(tmp_path) == before, "their records may come at any moment"

    grow_old(tmp_path)
    findings = await sweep(storage, dry_run=True)
    assert (findings.orphans, findings.orphan_bytes) == (2, 2 * (PART + 1))
    assert files(tmp_path) == before, "a dry run changes nothing"
    assert (await sweep(storage)).orphans == 2
    path = file(tmp_path, Place.KEPT, kept.blob.key)
    assert files(tmp_path) == {path, Path(sidecar_path(str(path)))}
    assert await redis.execute("ZCARD", keys.STORE_DELETING) == 0


async def test_a_file_that_a_writer_has_left_is_counted_and_deleted(
    storage: Storage, tmp_path: Path
) -> None:
    left = storage.scratch / "left"
    left.write_bytes(b"half of an")
    assert (await sweep(storage)).unfinished == 0
    os.utime(left, (1, 1))
    assert (await sweep(storage, dry_run=True)).unfinished == 1
    assert (await sweep(storage)).unfinished == 1
    assert not left.exists()


async def test_bytes_whose_writer_died_before_the_record_are_deleted(
    storage: Storage, tmp_path: Path
) -> None:
    """A kept image without a record and a sidecar was promised to nobody."""
    assert storage.store is not None
    await storage.store.put(path_of(Place.KEPT, "a" * 64), b"x")
    grow_old(tmp_path)
    assert (await sweep(storage)).orphans == 1
    assert files(tmp_path) == set()


async def test_a_kept_image_whose_record_redis_has_lost_is_never_deleted(
    storage: Storage, redis: RedisClient, tmp_path: Path
) -> None:
    kept = await keep(storage, b"x")
    ending = await keep(storage, b"y", ttl=100)
    for one in (kept, ending):
        await forget(redis, Kind.IMAGE, one.blob.key)
    grow_old(tmp_path)
    findings = await sweep(storage)
    assert (findings.orphans, findings.unrecorded.number) == (0, 2)
    assert len(files(tmp_path)) == 4


async def test_a_kept_image_whose_sidecar_cannot_be_read_is_never_deleted(
    storage: Storage, redis: RedisClient, tmp_path: Path
) -> None:
    """A newer version may have written it."""
    assert storage.store is not None
    kept = await keep(storage, b"x")
    sidecar = sidecar_path(path_of(Place.KEPT, kept.blob.key))
    await storage.store.put(sidecar, b'{"newer": 1}')
    await forget(redis, Kind.IMAGE, kept.blob.key)
    grow_old(tmp_path)
    findings = await sweep(storage)
    assert (findings.orphans, findings.unrecorded.number) == (0, 1)
    assert len(files(tmp_path)) == 2


async def test_a_kept_image_whose_own_end_has_come_is_deleted(
    storage: Storage, redis: RedisClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = await keep(storage, b"y", ttl=100)
    await forget(redis, Kind.IMAGE, ending.blob.key)
    later = time.time() + 2 * GRACE
    monkeypatch.setattr(time, "time", lambda: later)
    assert (await sweep(storage)).orphans == 1
    assert files(tmp_path) == set()


async def test_a_kept_image_whose_own_end_has_just_come_is_neither_lost_nor_deleted(
    storage: Storage, redis: RedisClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = await keep(storage, b"y", ttl=100)
    await forget(redis, Kind.IMAGE, ending.blob.key)
    later = time.time() + 100 + GRACE / 2
    monkeypatch.setattr(time, "time", lambda: later)
    findings = await sweep(storage)
    assert (findings.orphans, findings.unrecorded.number) == (0, 0)
    assert len(files(tmp_path)) == 2


async def test_an_image_that_was_passing_before_it_was_kept_leaves_nothing(
    storage: Storage, tmp_path: Path
) -> None:
    data = os.urandom(PART + 1)
    passing = await Images(storage).keep_bytes(data, ttl=100)
    await keep(storage, data)
    grow_old(tmp_path)
    assert (await sweep(storage)).orphans == 1
    assert not file(tmp_path, Place.PASSING, passing.blob.key).exists()
    assert await Images(storage).get(passing.blob) == data


async def test_records_without_bytes_are_named_and_found_no_more(
    storage: Storage, tmp_path: Path
) -> None:
    kept, _, made = await fill(storage)
    file(tmp_path, Place.KEPT, kept.blob.key).unlink()
    file(tmp_path, Place.RENDITIONS, made.blob.key).unlink()
    assert set((await sweep(storage, dry_run=True)).lost.first) == {kept.blob.key, made.blob.key}
    assert set((await sweep(storage)).lost.first) == {kept.blob.key, made.blob.key}
    found = await Images(storage).find(kept.blob.key)
    assert found is not None
    assert found.damaged
    assert await Renditions(storage).find(made.blob.key) is None


async def test_deletions_that_were_left_are_taken_over_a_hundred_at_a_time(
    storage: Storage, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others stay with whoever has noted them, as a bucket may take long."""
    store = storage.store
    assert store is not None
    paths = [path_of(Place.PASSING, f"{number:064x}") for number in range(250)]
    await redis.execute("ZADD", keys.STORE_DELETING, *chain(*((1, path) for path in paths)))
    deleted: list[str] = []

    async def delete(some: Sequence[str]) -> None:
        left = await redis.execute("ZCOUNT", keys.STORE_DELETING, "-inf", 1)
        assert left == 250 - len(deleted) - len(some), "only these are noted anew"
        deleted.extend(some)

    monkeypatch.setattr(store, "delete", delete)
    await Sweeper(storage, store, grace=GRACE).finish_deletions()
    assert sorted(deleted) == paths
    assert await redis.execute("ZCARD", keys.STORE_DELETING) == 0


async def test_the_store_is_not_asked_again_for_what_was_listed(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request for each record of a large bucket would take longer than the sweep may."""
    await fill(storage)
    store, asked = storage.store, list[str]()
    assert store is not None
    size = store.size

    async def noted_size(path: str) -> int | None:
        asked.append(path)
        return await size(path)

    monkeypatch.setattr(store, "size", noted_size)
    assert (await sweep(storage)).lost.number == 0
    assert asked == []


async def test_a_missing_sidecar_is_written(storage: Storage, tmp_path: Path) -> None:
    kept = await keep(storage, b"x")
    assert storage.store is not None
    path = sidecar_path(path_of(Place.KEPT, kept.blob.key))
    text = [piece async for piece in storage.store.read(path)]
    await storage.store.delete([path])
    await sweep(storage)
    assert [piece async for piece in storage.store.read(path)] == text


async def test_files_of_others_in_the_store_are_left_alone(
    storage: Storage, tmp_path: Path
) -> None:
    assert storage.store is not None
    for path in ("default/kept/ab/cd/readme", "default/other/ab/cd/" + "a" * 64, "notes"):
        await storage.store.put(path, b"x")
    grow_old(tmp_path)
    assert (await sweep(storage)).orphans == 0
    assert (tmp_path / "store" / "notes").exists()
    assert len(files(tmp_path)) == 2
