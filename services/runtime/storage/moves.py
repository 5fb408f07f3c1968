"""Move images whose bytes lie in Redis to the store: those of older versions, and of `redis:`.

An image of an older version, or a large one, moves in the background when it is read;
`darkroom-store move` moves all of them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator

import structlog
from redis.exceptions import RedisError

from contracts.errors import ServiceError
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.scripts import load_script
from services.runtime.storage import parts
from services.runtime.storage.hot import member
from services.runtime.storage.records import (
    FIELDS,
    SMALL,
    Kind,
    Place,
    StoredBlob,
    path_of,
    stored_from,
)
from services.runtime.storage.sidecar import write_sidecar
from services.runtime.storage.spool import Spool
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_WAITING = 64  # images that wait for their move; another one moves when it is read again
_SEEN = 4096  # images that were looked at, and are not looked at again
_SCAN = 512  # records that are looked at in one step

_TAKE = load_script(__package__, "take", when_full=True)


class Moves:
    """Moves one image after the other; does nothing without a store."""

    def __init__(self, redis: RedisClient, store: AsyncStore | None) -> None:
        self._redis = redis
        self._store = store
        self._waiting = OrderedDict[str, None]()
        self._seen = OrderedDict[str, None]()
        self._task: asyncio.Task[None] | None = None

    def offer(self, stored: StoredBlob) -> None:
        """Have an image in Redis moved soon, unless it is small and may be hot: `move` moves it.

        Small images come with many renders, so nothing is asked about them here.
        """
        key = stored.blob.key
        if self._store is None or key in self._seen or len(self._waiting) >= _WAITING:
            return
        if stored.created and stored.blob.bytes <= SMALL:
            return
        self._seen[key] = None
        if len(self._seen) > _SEEN:
            self._seen.popitem(last=False)
        self._waiting[key] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="moves")

    async def settled(self) -> None:
        """Return when nothing moves."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Move no more."""
        await end(self._task)

    async def move(self, key: str) -> int | None:
        """Move an image; return its bytes, or None if it stays where it is.

        Raises what `RedisClient`, `AsyncStore` and `Spool` raise.
        """
        store, stored = self._store, await self._find(key)
        if store is None or stored is None or await self._is_hot(key):
            return None
        place = Place.KEPT if await self._is_kept(stored) else Place.PASSING
        spool, number = Spool(store.scratch), 0
        try:
            async for part in self._parts(stored):
                number += 1
                await spool.write(part)
            await spool.finish()
            if spool.digest != stored.digest:
                log.error("an image in redis is damaged", key=key)
                return None
            path = path_of(place, key, stored.project)
            await store.put(path, spool.content)
            moved = await self._redis.script(
                _TAKE,
                (
                    *(keys.blob(Kind.IMAGE, key), keys.STORE_DELETING),
                    *(keys.HOT, keys.STORE_USAGE),
                ),
                (
                    *(path, place, spool.size, number),
                    *(member(Kind.IMAGE, key), stored.project),
                ),
            )
        finally:
            await spool.close()
        if not moved:
            return None
        if place is Place.KEPT:
            await write_sidecar(self._redis, store, key, stored.project)
        return spool.size

    async def find_all(self) -> AsyncGenerator[str, None]:
        """Yield the keys of all images that `move` moves."""
        cursor, pattern = b"0", keys.blob(Kind.IMAGE, "?" * 64)
        while True:
            cursor, names = await self._redis.execute(
                "SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN
            )
            for name in names:
                key = name.decode().rpartition(":")[2]
                if await self._find(key) is not None and not await self._is_hot(key):
                    yield key
            if cursor in (b"0", 0):
                return

    async def _run(self) -> None:
        while self._waiting:
            key, _ = self._waiting.popitem(last=False)
            try:
                if await self.move(key) is not None:
                    log.info("image moved from redis to the store", key=key)
            except (RedisError, OSError, ServiceError) as exc:
                self._seen.pop(key, None)
                log.warning("an image stays in redis for now", key=key, reason=str(exc))
            except Exception as exc:
                log.error("moving an image failed", key=key, exc_info=exc)

    async def _record(self, key: str) -> StoredBlob | None:
        row = await self._redis.execute("HMGET", keys.blob(Kind.IMAGE, key), *FIELDS)
        return stored_from(Kind.IMAGE, key, row)

    async def _find(self, key: str) -> StoredBlob | None:
        """Return an image that is whole and lies in Redis, or None."""
        stored = await self._record(key)
        in_redis = stored is not None and stored.place is None and not stored.damaged
        return stored if in_redis else None

    async def _is_hot(self, key: str) -> bool:
        return bool(await self._redis.execute("HEXISTS", keys.HOT, member(Kind.IMAGE, key)))

    async def _is_kept(self, stored: StoredBlob) -> bool:
        key = stored.blob.key
        listed, left = await self._redis.pipeline(
            [
                ("ZSCORE", keys.images_of(stored.project), key),
                ("TTL", keys.blob(Kind.IMAGE, key)),
            ]
        )
        return listed is not None or left == -1

    async def _parts(self, stored: StoredBlob) -> AsyncGenerator[bytes, None]:
        """Yield the parts of an image in Redis; fewer than there were if it is deleted meanwhile.

        An image of an older version has one part, however large it is.
        """
        name, left, number = keys.blob(Kind.IMAGE, stored.blob.key), stored.blob.bytes, 0
        while left > 0:
            part = await self._redis.bulk.execute("HGET", name, parts.field(number))
            if not part:
                return
            left, number = left - len(part), number + 1
            yield part
