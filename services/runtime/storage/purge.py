"""Delete an image and everything that was made from it."""

from itertools import chain

import structlog

from contracts.access import DEFAULT_PROJECT
from contracts.errors import ServiceError
from services.runtime.redis import keys
from services.runtime.redis.scripts import load_script
from services.runtime.storage.blobs import Storage
from services.runtime.storage.hot import member
from services.runtime.storage.records import (
    Kind,
    Place,
    path_of,
)
from services.runtime.storage.sidecar import sidecar_path

log = structlog.get_logger(__name__)

_BATCH = 256  # renditions that are deleted in one step

_DELETE = load_script(__package__, "delete", when_full=True)
_FORGET = load_script(__package__, "forget", when_full=True)


class Purge:
    """Deletes images and their renditions. Raises what `RedisClient` raises.

    A call that failed in the middle is completed by the next one for the same image.
    """

    def __init__(self, storage: Storage, *, longest: int) -> None:
        """`longest` is the time in seconds after which no render of a deleted image still runs."""
        self._redis = storage.redis
        self._store = storage.store
        self._longest = longest

    async def image(self, key: str) -> bool:
        """Delete an image and its renditions; return whether anything was there.

        A render that runs meanwhile is not kept. Jobs that need the image fail as `gone`. Bytes
        that a store can't delete now are deleted by a later sweep.
        """
        path = path_of(Place.KEPT, key)
        deleted = await self._redis.script(
            _DELETE,
            (
                *(keys.blob(Kind.IMAGE, key), keys.purged(key), keys.details_of(key)),
                *(keys.images_of(DEFAULT_PROJECT), keys.STORE_DELETING),
                *(keys.HOT, keys.HOT_BYTES, keys.STORE_USAGE),
            ),
            (key, path, member(Kind.IMAGE, key), DEFAULT_PROJECT, self._longest),
        )
        number = await self.renditions(key)
        # The sidecar first: without it, nobody brings the image back.
        if await self._delete_bytes(sidecar_path(path), path, path_of(Place.PASSING, key)):
            await self._redis.execute("ZREM", keys.STORE_DELETING, path)
        return bool(deleted or number)

    async def renditions(self, key: str) -> int:
        """Delete the renditions of an image that are stored now; return how many there were."""
        index, number = keys.renditions_of(key), 0
        while found := await self._redis.execute("ZRANGE", index, 0, _BATCH - 1):
            made = [digest.decode() for digest in found]
            deleted, paths = await self._redis.script(
                _FORGET,
                (
                    *(index, keys.STORE_DELETING, keys.STORE_USAGE),
                    *(keys.blob(Kind.RENDITION, digest) for digest in made),
                ),
                (
                    *(DEFAULT_PROJECT, Place.RENDITIONS),
                    *chain(*((digest, path_of(Place.RENDITIONS, digest)) for digest in made)),
                ),
            )
            number += deleted
            if paths and await self._delete_bytes(*(path.decode() for path in paths)):
                await self._redis.execute("ZREM", keys.STORE_DELETING, *paths)
        return number

    async def _delete_bytes(self, *paths: str) -> bool:
        """Delete bytes, and return whether they are gone; a sweep tries again."""
        if self._store is not None:
            try:
                await self._store.delete(paths)
            except ServiceError as exc:
                reason = exc.detail
                log.warning("bytes of deleted images stay for now", paths=len(paths), reason=reason)
                return False
        return True
