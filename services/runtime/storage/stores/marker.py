"""Identity of a store: every service of one Darkroom has to use the same.

The store has its id in an object, and Redis has it under a key. Two hosts with a disk each would
otherwise serve records whose bytes lie on the other host.
"""

import asyncio
import secrets
from typing import Final

import structlog
from pydantic import BaseModel, ValidationError

from contracts.errors import ServiceError
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.watch import StoreRefused
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.store import MARKER, Missing

log = structlog.get_logger(__name__)

_MARKING: Final = b"marking:"
"""Prefix of the id in Redis while the service that has made it writes the store's object."""

_MARKING_TTL: Final = 30  # seconds, after which that service counts as dead
_INTERVAL: Final = 0.2  # seconds from one look at an unfinished marker to the next
_RETRY: Final = 2.0  # seconds from one try of a store that is away to the next
_LARGEST: Final = 1024  # bytes of the object


class _Marker(BaseModel):
    id: str


async def claim_store(store: AsyncStore | None, redis: RedisClient) -> None:
    """Return once the store is known to be the one of this Redis; None stands for `redis:`.

    The first service gives a new store its id. A Redis that has lost its data takes the id of the
    store. Waits for a store that is away, and logs where a wait begins and ends. Raises
    StoreRefused, with a sentence on what to do, for another store than the other services use.
    """
    if store is None:
        if await redis.execute("GET", keys.STORE) is not None:
            raise StoreRefused(
                "DARKROOM_STORE is redis:, and the other services keep images in a store outside of"
                f" Redis: set it to theirs, or stop all services and delete {keys.STORE} in Redis"
                " to give those images up."
            )
        return
    waiting = False
    while not await _claimed(store, redis, quiet=waiting):
        waiting = True
        await asyncio.sleep(_RETRY)
    if waiting:
        log.info("the store is available", address=store.address)


async def _claimed(store: AsyncStore, redis: RedisClient, *, quiet: bool) -> bool:
    """Return whether the store has answered; log the reason unless `quiet`."""
    try:
        while not await _agree(store, redis):  # noqa: ASYNC110  nobody tells of the other service
            await asyncio.sleep(_INTERVAL)
    except ServiceError as exc:
        if not quiet:
            log.warning("waiting for the store", address=store.address, reason=exc.detail)
        return False
    return True


async def _agree(store: AsyncStore, redis: RedisClient) -> bool:
    """Return whether store and Redis have one id; False while another service writes it."""
    named: bytes | None = await redis.execute("GET", keys.STORE)
    marked = await _read(store)
    if named is None:
        return await _mark(store, redis, marked)
    if named.startswith(_MARKING):
        return False
    if named == marked:
        return True
    has = "has no" if marked is None else "has another id in its"
    raise StoreRefused(
        f"The store {store.address} {has} {MARKER}, so it is not the one that the other services"
        " use: give all of them the same folder or bucket. To change to this one, copy the objects"
        f" of the old store, {MARKER} as well, or stop all services and delete {keys.STORE} in"
        " Redis to give the old images up."
    )


async def _mark(store: AsyncStore, redis: RedisClient, marked: bytes | None) -> bool:
    """Give Redis the store's id, and a new store one; False if another service was faster."""
    if marked is not None:
        return await redis.execute("SET", keys.STORE, marked, "NX") is not None
    new = secrets.token_hex(16)
    marking = _MARKING + new.encode()
    if await redis.execute("SET", keys.STORE, marking, "NX", "EX", _MARKING_TTL) is None:
        return False
    try:
        await store.put(MARKER, _Marker(id=new).model_dump_json().encode())
    except ServiceError:
        await redis.execute("DEL", keys.STORE)
        raise
    await redis.execute("SET", keys.STORE, new)
    log.info("a new store", address=store.address, id=new)
    return True


async def _read(store: AsyncStore) -> bytes | None:
    """Return the id of the store's object; None if there is none. Raises StoreRefused."""
    try:
        content = b"".join([piece async for piece in store.read(MARKER, 0, _LARGEST)])
    except Missing:
        return None
    try:
        return _Marker.model_validate_json(content).id.encode()
    except ValidationError:
        raise StoreRefused(
            f"The object {MARKER} of the store {store.address} can't be read: put back what it was,"
            " or delete it."
        ) from None
