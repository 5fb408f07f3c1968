"""Images and results in Redis, for systems without a store of their own."""

import hashlib
from typing import Any

from bench.jobs.systems.interface import IMAGE, KEPT, RESULT


class RedisImages:
    """Stores images, and looks up results, through an asyncio Redis client."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def store(self, data: bytes) -> str:
        """Store an image for `KEPT` seconds; return its name."""
        name = hashlib.sha256(data).hexdigest()
        await self._redis.set(IMAGE + name, data, ex=KEPT)
        return name

    async def result(self, name: str) -> bytes:
        """Return the result for the image `name`."""
        return bytes(await self._redis.get(RESULT + name))
