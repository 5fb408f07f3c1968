"""Where those who have no place for bytes keep them: in their Valkey, under a name and a TTL."""

import hashlib
from typing import Any

from bench.jobs.systems.interface import IMAGE, KEPT, RESULT


class Bytes:
    """The images and results of a client."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def store(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        await self._redis.set(IMAGE + name, data, ex=KEPT)
        return name

    async def result(self, name: str) -> bytes:
        return bytes(await self._redis.get(RESULT + name))
