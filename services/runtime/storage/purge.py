"""Delete an image and everything that was made from it."""

from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.blobs import Kind

_BATCH = 256  # renditions that are deleted in one step


class Purge:
    """Deletes images and their renditions. Raises what `RedisClient` raises.

    A call that failed in the middle is completed by the next one for the same image.
    """

    def __init__(self, redis: RedisClient, *, longest: int) -> None:
        """`longest` is the time in seconds after which no render of a deleted image still runs."""
        self._redis = redis
        self._longest = longest

    async def image(self, key: str) -> bool:
        """Delete an image and its renditions; return whether anything was there.

        A render that runs meanwhile is not kept. Jobs that need the image fail as `gone`.
        """
        deleted = await self._redis.execute("UNLINK", keys.blob(Kind.IMAGE, key))
        # Before the next command, which needs room in a store that may be full.
        number = await self.renditions(key)
        if not deleted and not number:
            return False
        await self._redis.execute("SET", keys.purged(key), 1, "EX", self._longest)
        if await self._redis.execute("EXISTS", keys.blob(Kind.IMAGE, key)):
            # It was uploaded again before SET, which would lose the renditions of the new one.
            await self._redis.execute("UNLINK", keys.purged(key))
        # Those that were stored meanwhile. From now on `BlockingBlobs.keep` keeps none
        # until the image is uploaded again.
        await self.renditions(key)
        return True

    async def renditions(self, key: str) -> int:
        """Delete the renditions of an image that are stored now; return how many there were."""
        index, number = keys.renditions_of(key), 0
        while found := await self._redis.execute("ZRANGE", index, 0, _BATCH - 1):
            made = [digest.decode() for digest in found]
            names = [keys.blob(Kind.RENDITION, digest) for digest in made]
            # The index after the renditions, or a failure between both would lose them.
            deleted, _ = await self._redis.transaction([("UNLINK", *names), ("ZREM", index, *made)])
            number += deleted
        return number
