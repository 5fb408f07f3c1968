"""The storage that the environment names, open for one command, and its failures for people."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog
from pydantic import ValidationError
from redis.exceptions import RedisError

from contracts.errors import ServiceError
from services.runtime.redis import keys
from services.runtime.redis.client import make_redis, store_error
from services.runtime.redis.watch import StoreRefused
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.blobs import Storage
from services.runtime.storage.setup import make_storage, stop_storage
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.marker import claim_store
from services.runtime.storage.stores.urls import make_store
from services.runtime.telemetry.metrics import Metrics

ResultT = TypeVar("ResultT")


class CannotRun(Exception):
    """The command can't run as it was called, or with these settings."""


class Failed(Exception):
    """Redis or the store does not answer, or is full."""


def read_settings() -> RuntimeSettings:
    """Read the environment. Raises CannotRun with the names of wrong variables alone."""
    try:
        return RuntimeSettings()
    except ValidationError as exc:
        complaints = [
            f"{'.'.join(map(str, error['loc'])).upper()}: {error['msg']}" for error in exc.errors()
        ]
        raise CannotRun("; ".join(complaints)) from exc


def store_of(settings: RuntimeSettings, url: str, name: str) -> AsyncStore:
    """Make the store at another URL than the one of the settings.

    Raises CannotRun, with the argument's `name` and not the URL, which may have a password.
    """
    try:
        named = RuntimeSettings.model_validate({**settings.model_dump(), "store": url})
        store = make_store(named)
    except ValidationError as exc:
        raise CannotRun(f"{name}: {exc.errors()[0]['msg']}") from None
    except ValueError as exc:
        raise CannotRun(f"{name}: {exc}") from exc
    if store is None:
        raise CannotRun("redis: is no store: `darkroom-store move` moves images from Redis.")
    return AsyncStore(store, Metrics())


@asynccontextmanager
async def opened(
    settings: RuntimeSettings, *, changes: bool = True
) -> AsyncIterator[tuple[Storage, AsyncStore]]:
    """Make the storage of the settings, and close it at the end.

    Without `changes`, an empty Redis does not take the id of the store. Raises CannotRun, for a
    store that is not the one of this Redis, too.
    """
    redis = make_redis(settings)
    try:
        try:
            storage = make_storage(settings, redis, Metrics())
        except ValueError as exc:
            raise CannotRun(str(exc)) from exc
        if storage.store is None:
            raise CannotRun(
                "DARKROOM_STORE names no store: set it to the one of the services, such as"
                " file:///var/lib/darkroom."
            )
        try:
            await storage.store.check()
            if changes or await redis.execute("EXISTS", keys.STORE):
                await claim_store(storage.store, redis)
            yield storage, storage.store
        except StoreRefused as exc:
            raise CannotRun(str(exc)) from exc
        finally:
            await stop_storage(storage)
    finally:
        await redis.close()


def run(work: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Do the work of a command in an event loop. Raises Failed, and CannotRun as the work does."""
    # Standard output is for the result.
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
    )

    async def working() -> ResultT:
        return await work()

    try:
        return asyncio.run(working())
    except ServiceError as exc:
        raise Failed(exc.detail) from exc
    except (RedisError, OSError) as exc:
        raise Failed(store_error(exc).detail) from exc
