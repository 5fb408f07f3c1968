"""Sidecars of kept images that change, or are deleted, while their sidecars are written."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from services.runtime.redis.client import RedisClient
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.purge import Purge
from services.runtime.storage.sidecar import read_sidecar, sidecar_path
from services.runtime.storage.spool import Spool
from tests.runtime.storage.conftest import empty


async def settle(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[str], Awaitable[object]]
) -> str:
    """Keep an image, with something that happens while its sidecar is written; return its path."""
    images, spool = Images(storage), await Spool.of(b"x", storage.scratch)
    try:
        stored = await images.keep(spool, ttl=100, kept=True, durable=False)
    finally:
        await spool.close()
    key, store = stored.blob.key, storage.store
    assert store is not None
    path = f"default/kept/{key[:2]}/{key[2:4]}/{key}"
    put, waiting = store.put, [meanwhile]

    async def late(name: str, content: bytes | Path, *, durable: bool = True) -> None:
        if name == sidecar_path(path) and waiting:
            await waiting.pop()(key)
        await put(name, content, durable=durable)

    monkeypatch.setattr(store, "put", late)
    await KeptImages(storage.redis, images).settle(stored, ttl=None, label="before")
    return path


async def test_a_sidecar_that_is_written_after_a_deletion_is_deleted(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await settle(
        storage, monkeypatch, partial(Purge(storage, longest=60).image, DEFAULT_PROJECT)
    )
    assert storage.store is not None
    assert await storage.store.size(path) is None
    assert await storage.store.size(sidecar_path(path)) is None


async def test_a_sidecar_says_the_last_of_two_changes_at_once(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptImages(storage.redis, Images(storage))
    path = await settle(
        storage, monkeypatch, lambda key: kept.change(DEFAULT_PROJECT, key, label="after", life=60)
    )
    assert storage.store is not None
    sidecar = await read_sidecar(storage.store, path)
    assert (sidecar.label, sidecar.ends is not None) == ("after", True)


async def test_a_sidecar_stays_when_redis_loses_the_record_meanwhile(
    storage: Storage, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await settle(storage, monkeypatch, lambda _: empty(redis))
    assert storage.store is not None
    assert (await read_sidecar(storage.store, path)).label == "before"
