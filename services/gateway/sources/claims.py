"""Claims of fetches: of all gateways, one fetches an original, and the others wait for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import structlog

from contracts.errors import ServiceError
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, redis_errors
from services.runtime.redis.scripts import load_script
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_CLAIM = load_script(__package__, "claim", when_full=True)
_LIFE = 3000  # milliseconds without a word of its owner: the owner is dead
_INTERVAL = 1.0  # seconds from one word to the next


class Claims:
    """Claims in the name of this process. Raises Unavailable."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[bool]:
        """Claim an original for the time of the block; False if another fetch has it now."""
        owner, name = uuid4().hex, keys.origin_claim(key)
        if not await self._set(name, owner, _LIFE):
            yield False
            return
        task = asyncio.create_task(self._renew(name, owner), name="source-claim")
        try:
            yield True
        finally:
            task.cancel()
            # A cancelled caller does not wait. Without an answer, the claim ends by itself.
            self._redis.script_soon(_CLAIM, (name,), (owner, 0), lambda *_: None)
            await end(task)

    async def _renew(self, name: str, owner: str) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                await self._set(name, owner, _LIFE)
            except ServiceError as exc:
                log.info("a claim was not renewed", reason=exc.detail)

    async def _set(self, name: str, owner: str, life: int) -> bool:
        with redis_errors():
            return bool(await self._redis.script(_CLAIM, (name,), (owner, life)))
