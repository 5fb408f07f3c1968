"""Make the parts of a process's storage from its settings, and start and stop them."""

import structlog

from services.runtime.redis.client import RedisClient
from services.runtime.redis.watch import OnRefused, StoreRefused
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.blobs import Storage
from services.runtime.storage.hot import Hot
from services.runtime.storage.moves import Moves
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.marker import claim_store
from services.runtime.storage.stores.urls import make_store
from services.runtime.storage.usage import Usage
from services.runtime.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)


def make_storage(settings: RuntimeSettings, redis: RedisClient, metrics: Metrics) -> Storage:
    """Make the storage that the settings name. Nothing connects before it is used."""
    bytes_store = make_store(settings)
    store = AsyncStore(bytes_store, metrics) if bytes_store else None
    return Storage(
        redis=redis,
        store=store,
        hot=Hot(redis, store, limit=settings.hot_bytes),
        usage=Usage(redis, store_bytes=settings.store_bytes, project_bytes=settings.project_bytes),
        moves=Moves(redis, store),
        metrics=metrics,
        is_named=settings.store is not None,
    )


async def start_storage(storage: Storage, *, on_refused: OnRefused) -> None:
    """Start a storage; calls `on_refused` for another store than the other services use."""
    try:
        await claim_store(storage.store, storage.redis)
    except StoreRefused as exc:
        log.error("the store can't be used", reason=str(exc))
        on_refused(exc)
    if storage.store is not None:
        await storage.store.start()
    elif not storage.is_named:
        log.warning(
            "images are kept in redis",
            reason="DARKROOM_STORE is not set: name a folder (file:///...) or a bucket (s3://...),"
            " or set it to redis: to keep them there.",
        )


async def stop_storage(storage: Storage) -> None:
    """Stop what `start_storage` has started."""
    await storage.hot.stop()
    await storage.moves.stop()
    if storage.store is not None:
        await storage.store.stop()
