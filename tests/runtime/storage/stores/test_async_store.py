"""A store for an event loop: results, metrics, health, and calls that are cancelled."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from contracts.errors import StoreFull, Unavailable
from services.runtime.storage.stores import async_store
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.disk import DiskStore
from services.runtime.storage.stores.store import CHUNK, Missing
from services.runtime.telemetry.metrics import Metrics
from tests.processes import wait_until

PATH = "default/kept/ab/cd/abcd0123"


class Held(DiskStore):
    """A disk store whose `open` and `read` wait for `release`, and count what is closed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.started, self.release, self.closed = (threading.Event() for _ in range(3))
        self.opened = -1

    def open(self, path: str) -> int:
        self.opened = super().open(path)
        self.started.set()
        assert self.release.wait(10)
        return self.opened

    def read(
        self, path: str, start: int = 0, stop: int | None = None
    ) -> Generator[bytes, None, None]:
        try:
            yield from super().read(path, start, stop)
        finally:
            self.closed.set()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path / "store")


@pytest.fixture
async def slow(held: Held, metrics: Metrics) -> AsyncIterator[AsyncStore]:
    store = AsyncStore(held, metrics)
    yield store
    held.release.set()
    await store.stop()


@pytest.fixture
async def store(disk: DiskStore, metrics: Metrics) -> AsyncIterator[AsyncStore]:
    store = AsyncStore(disk, metrics)
    yield store
    await store.stop()


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


async def until_closed(descriptor: int) -> None:
    await asyncio.to_thread(wait_until, lambda: not is_open(descriptor), seconds=5, every=0.005)


async def test_the_methods_of_a_store_work_from_an_event_loop(store: AsyncStore) -> None:
    content = bytes(range(256)) * 2000
    await store.put(PATH, content)

    assert b"".join([piece async for piece in store.read(PATH)]) == content
    assert b"".join([piece async for piece in store.read(PATH, 3, 9)]) == content[3:9]
    assert await store.size(PATH) == len(content)
    with os.fdopen(await store.open(PATH), "rb") as file:
        assert file.read() == content
    assert [one.path async for page in store.list() for one in page] == [PATH]
    assert await store.remove_unfinished(older=60) == 0
    assert (await store.free() or 0) > 0
    await store.check()
    await store.delete([PATH])
    assert await store.size(PATH) is None


async def test_operations_are_counted_by_their_outcomes(
    store: AsyncStore, disk: DiskStore, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreFull("full")

    await store.put(PATH, b"12345")
    with pytest.raises(Missing):
        await store.open("nothing")
    with pytest.raises(Missing):
        [piece async for piece in store.read("nothing")]
    monkeypatch.setattr(disk, "put", full)
    with pytest.raises(StoreFull):
        await store.put(PATH, b"12345")

    lines = metrics.text().decode().splitlines()
    for operation, outcome in (
        ("put", "ok"),
        ("open", "missing"),
        ("read", "missing"),
        ("put", "full"),
    ):
        labels = f'operation="{operation}",outcome="{outcome}"'
        assert f"darkroom_store_seconds_count{{{labels}}} 1.0" in lines


async def test_a_cancelled_open_closes_its_descriptor(slow: AsyncStore, held: Held) -> None:
    await slow.put(PATH, b"12345")
    opening = asyncio.create_task(slow.open(PATH))
    await asyncio.to_thread(held.started.wait, 10)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert is_open(held.opened)

    held.release.set()
    await until_closed(held.opened)


async def test_a_cancelled_read_closes_its_file(slow: AsyncStore, held: Held) -> None:
    await slow.put(PATH, bytes(2 * CHUNK))
    reading = asyncio.create_task(anext(slow.read(PATH)))
    await asyncio.to_thread(held.started.wait, 10)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    held.release.set()
    await until_closed(held.opened)
    assert await asyncio.to_thread(held.closed.wait, 10)


async def test_a_read_that_is_left_in_the_middle_closes_its_file(
    slow: AsyncStore, held: Held
) -> None:
    held.release.set()
    await slow.put(PATH, bytes(3 * CHUNK))
    pieces = slow.read(PATH)
    assert len(await anext(pieces)) == CHUNK
    await pieces.aclose()

    await until_closed(held.opened)


async def test_the_state_tells_of_a_failure_until_the_store_works_again(
    store: AsyncStore, disk: DiskStore, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_store, "_INTERVAL", 0.01)
    await store.start()
    assert store.running
    assert store.state.failure is None
    assert store.state.free
    moved = disk.scratch.rename(disk.scratch.with_name("away"))

    await asyncio.to_thread(wait_until, lambda: store.state.failure is not None, every=0.01)
    assert isinstance(store.state.failure, Unavailable)
    assert store.state.since > 0
    assert "darkroom_store_available 0.0" in metrics.text().decode()

    moved.rename(disk.scratch)
    await asyncio.to_thread(wait_until, lambda: store.state.failure is None, every=0.01)
    assert "darkroom_store_available 1.0" in metrics.text().decode()


async def test_a_refused_write_counts_as_full_until_a_write_succeeds(
    store: AsyncStore, disk: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreFull("full")

    await store.start()
    with monkeypatch.context() as patched:
        patched.setattr(disk, "put", full)
        with pytest.raises(StoreFull):
            await store.put(PATH, b"12345")
    await store.check()
    assert isinstance(store.state.failure, StoreFull)

    await store.put(PATH, b"12345")
    assert store.state.failure is None
