"""Readiness: what makes it red, and what it only notes."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from contracts.errors import StoreFull, Unavailable
from services.runtime.introspection.health import health_routes
from services.runtime.introspection.storage_state import StorageState
from services.runtime.liveness.server_clock import Clock
from services.runtime.rpc.broker import Broker
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.setup import make_storage, stop_storage
from services.runtime.storage.stores.disk import DiskStore
from services.runtime.telemetry.metrics import Metrics
from tests.attempts import attempts
from tests.runtime.echo import broker_on


def storage_on(broker: Broker, store: str) -> Storage:
    return make_storage(RuntimeSettings(store=store), broker.redis, Metrics())


async def readiness(broker: Broker, state: StorageState | None = None) -> httpx.Response:
    state = state or StorageState(storage_on(broker, "redis:"))
    transport = httpx.ASGITransport(dict(health_routes(broker, state))["/health/ready"])
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.get("/health/ready")


async def test_a_wrong_clock_is_a_note_a_metric_and_one_line_of_the_log(redis_url: str) -> None:
    for attempt in attempts():
        broker = broker_on(
            redis_url, clock=Clock(host=lambda: time.time() + 7), heartbeat_interval=0.05
        )
        with capture_logs() as logs:
            await broker.start()
            ready = await readiness(broker)
            await broker.stop()
        assert ready.status_code == 200
        assert b"darkroom_clock_skew_seconds" in broker.metrics.text()
        told = [line["seconds"] for line in logs if line["event"] == "clock differs from redis"]
        assert len(told) == 1
        with attempt:  # a reply that comes late says little of the clock
            assert ready.json()["clock"] == "This host's clock is 7.0 s ahead of Redis's."
            assert 6.9 < broker.clock.skew < 7.1
            assert told == [7.0]


async def test_the_end_of_the_watch_makes_readiness_red(caller: Broker) -> None:
    assert (await readiness(caller)).json()["watch"] == "ok"

    await caller.store.stop()

    ready = await readiness(caller)
    assert (ready.status_code, ready.json()["watch"]) == (503, "not ok")


@pytest.fixture
async def storage(caller: Broker, tmp_path: Path) -> AsyncIterator[Storage]:
    storage = storage_on(caller, f"file://{tmp_path}")
    assert storage.store is not None
    await storage.store.start()
    yield storage
    await stop_storage(storage)


@pytest.fixture
def state(storage: Storage) -> StorageState:
    return StorageState(storage)


async def test_a_store_that_does_not_answer_makes_readiness_red(
    caller: Broker, storage: Storage, state: StorageState, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert storage.store is not None
    assert (await readiness(caller, state)).json()["store"] == "ok"

    def away(*_: object) -> None:
        raise Unavailable("The disk of the store does not work (Gone).", retry_after=5)

    monkeypatch.setattr(DiskStore, "size", away)
    with pytest.raises(Unavailable):
        await storage.store.size("a")
    ready = await readiness(caller, state)
    assert (ready.status_code, ready.json()["redis"]) == (503, "ok")
    assert ready.json()["store"] == "The disk of the store does not work (Gone)."


async def test_a_full_store_is_a_note(
    caller: Broker, storage: Storage, state: StorageState, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert storage.store is not None

    def full(*_: object, durable: bool) -> None:
        raise StoreFull("The disk of the store is full.", retry_after=10)

    monkeypatch.setattr(DiskStore, "put", full)
    with pytest.raises(StoreFull):
        await storage.store.put("a", b"x")
    ready = await readiness(caller, state)
    assert (ready.status_code, ready.json()["store"]) == (200, "ok")
    assert ready.json()["room"] == "The disk of the store is full."


async def test_a_store_that_nobody_checks_makes_readiness_red(
    caller: Broker, storage: Storage, state: StorageState
) -> None:
    await stop_storage(storage)
    assert (await readiness(caller, state)).status_code == 503


async def test_the_report_and_the_gauges_show_what_the_store_holds(
    storage: Storage, state: StorageState, tmp_path: Path
) -> None:
    images = Images(storage)
    await images.keep_bytes(b"x" * 300_000, ttl=100)
    await images.keep_bytes(b"hot", ttl=100)
    report = await state.report()
    assert (report.kind, report.address, report.health) == ("disk", f"file://{tmp_path}", "ok")
    assert report.free is not None
    passing = report.places["default"]["passing"]
    assert (passing.objects, passing.bytes, report.hot) == (1, 300_000, 3)

    await state.set_gauges()
    metrics = storage.metrics.text().decode()
    assert 'darkroom_store_bytes{place="passing",project="default"} 300000.0' in metrics
    assert "darkroom_hot_bytes 3.0" in metrics
