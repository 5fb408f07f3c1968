"""Sweeps, rebuilds, copies and checks know the images of every project."""

import os
import shutil
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from contracts.access.keys import DEFAULT_PROJECT
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.administration.copying import Copy
from services.runtime.storage.administration.digests import damaged_images
from services.runtime.storage.administration.rebuild import Rebuild
from services.runtime.storage.administration.sweeper import Sweeper
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.records import Place, StoredBlob, path_of
from services.runtime.storage.sidecar import sidecar_path
from services.runtime.storage.spool import Spool
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.disk import DiskStore
from services.runtime.storage.usage import Count
from services.runtime.telemetry.metrics import Metrics
from tests.runtime.storage.conftest import empty

WEBSITE = "website"
BOTH = (DEFAULT_PROJECT, WEBSITE)


async def keep(storage: Storage, project: str, data: bytes = b"image") -> StoredBlob:
    images, spool = Images(storage), await Spool.of(data, storage.scratch)
    stored = await images.keep(spool, ttl=100, project=project, kept=True)
    kept = KeptImages(storage.redis, images)
    return (await kept.settle(stored, ttl=None, label=project)).stored


async def keep_in_both(storage: Storage) -> Mapping[str, StoredBlob]:
    return {project: await keep(storage, project) for project in BOTH}


def no_progress(objects: int, size: int) -> None:
    """Show nothing."""


def file(folder: Path, one: StoredBlob) -> Path:
    return folder / "store" / one.path


async def test_kept_images_of_all_projects_come_back_after_the_loss_of_redis(
    storage: Storage, redis: RedisClient
) -> None:
    own = await keep_in_both(storage)
    await empty(redis)
    assert storage.store is not None
    swept = await Sweeper(storage, storage.store, grace=0).sweep()
    assert (swept.orphans, swept.unrecorded.number) == (0, 2)

    rebuilt = await Rebuild(storage, storage.store).run(no_progress)
    assert (rebuilt.images, rebuilt.damaged) == (2, [])
    for project, stored in own.items():
        assert await Images(storage).find_in(project, stored.blob.key) == stored
        assert await Images(storage).get(stored.blob) == b"image"
        page = await KeptImages(redis, Images(storage)).page(project, 10)
        assert [one.stored for one in page.images] == [stored]
        assert (await storage.usage.counts())[(project, Place.KEPT)] == Count(1, 5)
    assert (await keep(storage, WEBSITE)).blob == own[WEBSITE].blob


async def test_a_sidecar_of_another_project_or_image_brings_nothing_back(
    storage: Storage, redis: RedisClient, tmp_path: Path
) -> None:
    theirs, other, claimed = [
        await keep(storage, WEBSITE, data) for data in (b"image", b"other", b"claimed")
    ]
    place = tmp_path / "store" / path_of(Place.KEPT, theirs.blob.key)
    place.parent.mkdir(parents=True)
    sidecar = file(tmp_path, theirs).with_name(f"{theirs.blob.key}.json")
    shutil.copy(file(tmp_path, theirs), place)
    shutil.copy(sidecar, place.with_name(sidecar.name))
    # As if someone had written the other image's digest by hand.
    text = sidecar.read_text().replace(theirs.digest, other.digest)
    sidecar.write_text(text)

    stolen = tmp_path / "store" / sidecar_path(claimed.path)
    stolen.write_text(stolen.read_text().replace(WEBSITE, "agency"))

    await empty(redis)
    assert storage.store is not None
    rebuilt = await Rebuild(storage, storage.store).run(no_progress)
    assert rebuilt.images == 1
    paths = {sidecar_path(path_of(Place.KEPT, theirs.blob.key, project)) for project in BOTH}
    assert set(rebuilt.damaged) == {*paths, sidecar_path(claimed.path)}


async def test_a_sweep_deletes_in_each_project_what_has_no_record(
    storage: Storage, redis: RedisClient, tmp_path: Path
) -> None:
    own = await keep_in_both(storage)
    orphans = []
    for project in BOTH:
        path = tmp_path / "store" / path_of(Place.PASSING, "e" * 64, project)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"orphan")
        os.utime(path, (time.time() - 1000,) * 2)
        orphans.append(path)
    missing = file(tmp_path, own[WEBSITE])
    missing.rename(tmp_path / "taken away")

    assert storage.store is not None
    swept = await Sweeper(storage, storage.store, grace=500).sweep()
    assert (swept.orphans, swept.lost.first) == (2, [own[WEBSITE].blob.key])
    assert not any(path.exists() for path in orphans)
    assert file(tmp_path, own[DEFAULT_PROJECT]).exists()
    assert await redis.execute("HGET", keys.blob("image", own[WEBSITE].blob.key), "damaged")


async def test_a_check_and_a_copy_compare_bytes_by_project(
    storage: Storage, tmp_path: Path
) -> None:
    await keep_in_both(storage)
    broken = {project: await keep(storage, project, b"other") for project in BOTH}
    for one in broken.values():
        file(tmp_path, one).write_bytes(b"wrong")
    assert storage.store is not None
    damaged = await damaged_images(storage.store, BOTH, no_progress)
    assert set(damaged) == {one.blob.key for one in broken.values()}

    target = AsyncStore(DiskStore(tmp_path / "target"), Metrics())
    copied = await Copy(storage.store, target, no_progress).run(passes=2)
    await target.stop()
    assert set(copied.damaged) == {one.path for one in broken.values()}
    found = [path for path in (tmp_path / "target" / WEBSITE).rglob("*") if path.is_file()]
    (image,) = [path for path in found if path.suffix != ".json"]
    assert sha256(image.read_bytes()).hexdigest() == sha256(b"image").hexdigest()
