"""A store is copied while it is used, and services accept the copy once it is complete."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.errors import Unavailable
from services.runtime.storage.administration.copying import Copied, Copy
from services.runtime.storage.records import Place, path_of
from services.runtime.storage.sidecar import sidecar_path
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.disk import DiskStore
from services.runtime.storage.stores.store import MARKER
from services.runtime.telemetry.metrics import Metrics


class Stores:
    """Two stores in folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = AsyncStore(DiskStore(folder / "source"), Metrics())
        self.target = AsyncStore(DiskStore(folder / "target"), Metrics())

    async def put(self, data: bytes, place: Place = Place.KEPT) -> str:
        path = path_of(place, hashlib.sha256(data).hexdigest())
        await self.source.put(path, data)
        if place is Place.KEPT:
            await self.source.put(sidecar_path(path), b'{"label": "a"}')
        return path

    async def copy(self, *, passes: int = 3) -> Copied:
        return await Copy(self.source, self.target, lambda objects, size: None).run(passes=passes)

    def files(self, name: str) -> dict[str, bytes]:
        root = self.folder / name
        found = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.read_bytes() for path in found}


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    made = Stores(tmp_path)
    yield made
    await made.source.stop()
    await made.target.stop()


async def test_everything_is_copied_and_the_marker_comes_last(stores: Stores) -> None:
    await stores.source.put(MARKER, b'{"id": "1"}')
    for place in Place:
        await stores.put(os.urandom(10), place)
        await stores.put(os.urandom(600_000), place)
    before = stores.files("source")
    copied = await stores.copy()
    assert stores.files("target") == before == stores.files("source")
    assert (copied.objects, copied.different, copied.damaged) == (8, 0, [])


async def test_a_second_copy_copies_what_is_new_or_other(stores: Stores) -> None:
    await stores.source.put(MARKER, b'{"id": "1"}')
    path = await stores.put(b"one")
    await stores.copy()
    await stores.put(b"two", Place.PASSING)
    await stores.source.put(sidecar_path(path), b'{"label": "b"}')
    assert (await stores.copy()).objects == 2
    assert stores.files("target") == stores.files("source")


async def test_a_damaged_image_is_named_and_not_copied(stores: Stores) -> None:
    path = await stores.put(b"good")
    await stores.source.put(path, b"evil")
    copied = await stores.copy()
    assert (copied.damaged, copied.different) == ([path], 0)
    assert stores.files("target") == {}


async def test_an_image_that_is_deleted_during_the_copy_is_not_in_it(stores: Stores) -> None:
    path = await stores.put(b"one")
    await stores.put(b"two")
    await stores.copy()
    await stores.source.delete([sidecar_path(path), path])
    copied = await stores.copy()
    assert copied.deleted == 2
    assert stores.files("target") == stores.files("source")


async def test_a_copy_in_use_loses_nothing_to_a_further_copy(stores: Stores) -> None:
    """Its marker says that services may have stored something there."""
    await stores.source.put(MARKER, b'{"id": "1"}')
    await stores.copy()
    await stores.target.put(path_of(Place.KEPT, "a" * 64), b"new")
    assert (await stores.copy()).deleted == 0
    assert len(stores.files("target")) == 2


async def test_a_store_of_another_darkroom_is_left_alone(stores: Stores) -> None:
    await stores.put(b"one")
    await stores.source.put(MARKER, b'{"id": "1"}')
    await stores.target.put(MARKER, b'{"id": "2"}')
    with pytest.raises(ValueError, match="another Darkroom"):
        await stores.copy()
    assert list(stores.files("target")) == [MARKER]


async def test_the_marker_waits_until_nothing_differs(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here, something new is stored in each pass."""
    await stores.source.put(MARKER, b'{"id": "1"}')
    await stores.put(b"0")
    put = stores.target.put

    async def put_more(path: str, content: bytes | Path, *, durable: bool = True) -> None:
        await put(path, content, durable=durable)
        await stores.put(os.urandom(10), Place.PASSING)

    monkeypatch.setattr(stores.target, "put", put_more)
    copied = await stores.copy()
    assert copied.different > 0
    assert MARKER not in stores.files("target")
    monkeypatch.undo()
    assert (await stores.copy()).different == 0
    assert stores.files("target") == stores.files("source")


async def test_a_failure_ends_the_copy_and_the_next_one_continues(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        await stores.put(bytes([number]))
    put, calls = stores.target.put, 0

    async def fail_later(path: str, content: bytes | Path, *, durable: bool = True) -> None:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise Unavailable("away", retry_after=1)
        await put(path, content, durable=durable)

    monkeypatch.setattr(stores.target, "put", fail_later)
    with pytest.raises(Unavailable):
        await stores.copy()
    monkeypatch.undo()
    assert (await stores.copy()).objects == 60
    assert stores.files("target") == stores.files("source")
