"""Small blobs that lie in Redis for a while: as many bytes as a setting allows.

Redis knows for how long each record was not used, so that a use writes nothing. Beyond the limit
the process that stored the last blob moves those that were unused for longest to the store.
"""

import asyncio

import structlog
from redis.exceptions import RedisError

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import ServiceError
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.scripts import load_script
from services.runtime.storage.records import PROJECT, SMALL, Kind, Place, path_of
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_SAMPLE = 32  # blobs that are looked at in one step
_MOVED = 8  # of a sample: those that were unused for longest
_LOW = 0.9  # of the limit: moving ends there
_HIGH = 1.25  # of the limit: beyond it nothing more becomes hot

_MOVE = load_script(__package__, "move", when_full=True, USAGE=keys.STORE_USAGE)
_COUNT = load_script(__package__, "count", when_full=True)
_KEYS = (keys.HOT, keys.HOT_BYTES)


def member(kind: Kind, key: str) -> str:
    """Return the name of a blob in the hash of sizes."""
    return f"{kind}:{key}"


class Hot:
    """The blobs in Redis that have another place to go to: none without a store."""

    def __init__(self, redis: RedisClient, store: AsyncStore | None, *, limit: int) -> None:
        """`limit` is in bytes, for all processes together."""
        self._redis = redis
        self._store = store
        self._limit = limit
        self._total = 0
        self._task: asyncio.Task[None] | None = None

    def takes(self, size: int) -> bool:
        """Return whether a blob of `size` bytes may become hot."""
        has_room = self._total + size <= _HIGH * self._limit
        return self._store is not None and size <= SMALL and has_room

    def observe(self, total: int) -> None:
        """Note how many bytes are hot; beyond the limit, move some to the store, in a task."""
        self._total = total
        if total > self._limit and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._move(), name="hot-blobs")

    async def size(self) -> int:
        """Return the bytes that are hot, in all processes together."""
        return int(await self._redis.execute("GET", keys.HOT_BYTES) or 0)

    async def settled(self) -> None:
        """Return when nothing moves."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Move no more."""
        await end(self._task)

    async def _move(self) -> None:
        try:
            self._total = int(await self._redis.script(_COUNT, _KEYS))
            while self._total > _LOW * self._limit:
                await self._move_some()
        except (RedisError, OSError, ServiceError) as exc:
            log.warning("small images stay in redis", reason=str(exc))
        except Exception as exc:
            log.error("moving small images failed", exc_info=exc)

    async def _move_some(self) -> None:
        reply = await self._redis.execute("HRANDFIELD", keys.HOT, _SAMPLE)
        members = list(dict.fromkeys(one.decode() for one in reply))
        if not members:
            self._total = 0
            return
        idle = await self._redis.pipeline(
            ("OBJECT", "IDLETIME", keys.blob(*_kind_and_key(one))) for one in members
        )
        expired = [one for one, time in zip(members, idle, strict=True) if time is None]
        living = sorted(
            ((time, one) for one, time in zip(members, idle, strict=True) if time is not None),
            reverse=True,
        )
        moved = [] if expired else [one for _, one in living[:_MOVED]]
        for one in (*expired, *moved):
            await self.move(one)

    async def move(self, name: str) -> None:
        """Put the bytes of a blob into the store and take them out of Redis."""
        assert self._store is not None
        kind, key = _kind_and_key(name)
        place = Place.RENDITIONS if kind is Kind.RENDITION else Place.PASSING
        record = keys.blob(kind, key)
        data, owner = await self._redis.execute("HMGET", record, "data", PROJECT)
        project = owner.decode() if owner else DEFAULT_PROJECT
        path = path_of(place, key, project)
        if data is not None:
            await self._store.put(path, data, durable=kind is Kind.IMAGE)
        names = (record, *_KEYS, keys.STORE_DELETING)
        arguments = (name, project, place, path, data or b"")
        self._total = int(await self._redis.script(_MOVE, names, arguments))


def _kind_and_key(name: str) -> tuple[Kind, str]:
    kind, _, key = name.partition(":")
    return Kind(kind), key
