"""Delete an image and everything that was made from it."""

from itertools import chain

import structlog

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import ServiceError
from services.runtime.redis import keys
from services.runtime.redis.scripts import load_script
from services.runtime.storage.blobs import Storage
from services.runtime.storage.hot import member
from services.runtime.storage.records import PROJECT, SIZE, Kind, Place, path_of
from services.runtime.storage.sidecar import sidecar_path

log = structlog.get_logger(__name__)

_BATCH = 256  # renditions that are deleted in one step

_NO_IMAGE = "0" * 64  # a key that no image has
_ANOTHERS = -1  # what the first script returns for an image of another project

_DELETE = load_script(__package__, "delete", when_full=True, DEFAULT_PROJECT=DEFAULT_PROJECT)
_FORGET = load_script(__package__, "forget", when_full=True, DEFAULT_PROJECT=DEFAULT_PROJECT)


class Purge:
    """Deletes images and their renditions. Raises what `RedisClient` raises.

    A call that failed in the middle is completed by the next one for the same image.
    """

    def __init__(self, storage: Storage, *, longest: int) -> None:
        """`longest` is the time in seconds after which no render of a deleted image still runs."""
        self._redis = storage.redis
        self._store = storage.store
        self._longest = longest

    async def within(self, project: str, key: str) -> str:
        """Return the key to delete for a project: that of no image in place of another project's.

        To delete nothing takes as long for both, so the time does not tell whether another project
        has an image. One without a record may have left renditions, or answers in memory.
        """
        stored, owner = await self._redis.execute(
            "HMGET", keys.blob(Kind.IMAGE, key), SIZE, PROJECT
        )
        owned = stored is None or (owner.decode() if owner else DEFAULT_PROJECT) == project
        return key if owned else _NO_IMAGE

    async def image(self, project: str, key: str) -> bool:
        """Delete an image of a project and its renditions; return whether anything was there.

        A render that runs meanwhile is not kept. Jobs that need the image fail as `gone`. Bytes
        that a store can't delete now are deleted by a later sweep.
        """
        path = path_of(Place.KEPT, key, project)
        deleted = await self._redis.script(
            _DELETE,
            (
                *(keys.blob(Kind.IMAGE, key), keys.purged(key), keys.details_of(key)),
                *(keys.images_of(project), keys.STORE_DELETING),
                *(keys.HOT, keys.HOT_BYTES, keys.STORE_USAGE),
            ),
            (key, path, member(Kind.IMAGE, key), project, self._longest),
        )
        if deleted == _ANOTHERS:
            return False
        number = await self.renditions(project, key)
        # The sidecar first: without it, nobody brings the image back.
        if await self._delete_bytes(sidecar_path(path), path, path_of(Place.PASSING, key, project)):
            await self._redis.execute("ZREM", keys.STORE_DELETING, path)
        return bool(deleted or number)

    async def renditions(self, project: str, key: str) -> int:
        """Delete the renditions of a project's image that are stored now; return their number."""
        index, number = keys.renditions_of(key), 0
        while found := await self._redis.execute("ZRANGE", index, 0, _BATCH - 1):
            made = [digest.decode() for digest in found]
            forgotten, deleted, paths = await self._redis.script(
                _FORGET,
                (
                    *(index, keys.STORE_DELETING, keys.STORE_USAGE),
                    *(keys.blob(Kind.RENDITION, digest) for digest in made),
                ),
                (
                    *(project, Place.RENDITIONS),
                    *chain(*((one, path_of(Place.RENDITIONS, one, project)) for one in made)),
                ),
            )
            if not forgotten:
                break
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
