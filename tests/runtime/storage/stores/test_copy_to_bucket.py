"""A store on a disk is copied to a bucket, and back."""

import hashlib
import os
from collections.abc import AsyncIterator

import pytest

from services.runtime.storage.administration.copying import Copied, Copy
from services.runtime.storage.records import Place, path_of
from services.runtime.storage.sidecar import sidecar_path
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.disk import DiskStore
from services.runtime.storage.stores.store import MARKER, Store
from services.runtime.telemetry.metrics import Metrics


@pytest.fixture
async def disk_store(disk: DiskStore) -> AsyncIterator[AsyncStore]:
    made = AsyncStore(disk, Metrics())
    yield made
    await made.stop()


@pytest.fixture
async def bucket(moto: Store) -> AsyncIterator[AsyncStore]:
    made = AsyncStore(moto, Metrics())
    yield made
    await made.stop()


async def copy(source: AsyncStore, target: AsyncStore) -> Copied:
    return await Copy(source, target, lambda objects, size: None).run(passes=2)


async def test_a_disk_is_copied_to_a_bucket_and_back(
    disk_store: AsyncStore, bucket: AsyncStore
) -> None:
    await disk_store.put(MARKER, b'{"id": "1"}')
    small, large = os.urandom(1000), os.urandom(9 << 20)
    paths = [path_of(Place.KEPT, hashlib.sha256(data).hexdigest()) for data in (small, large)]
    for path, data in zip(paths, (small, large), strict=True):
        await disk_store.put(path, data)
        await disk_store.put(sidecar_path(path), b"{}")
    copied = await copy(disk_store, bucket)
    assert (copied.objects, copied.different, copied.damaged) == (4, 0, [])

    await disk_store.delete([*paths, *map(sidecar_path, paths)])
    assert (await copy(bucket, disk_store)).different == 0
    assert b"".join([piece async for piece in disk_store.read(paths[1])]) == large
    assert b"".join([piece async for piece in bucket.read(MARKER)]) == b'{"id": "1"}'
