"""Claims of fetches: of all gateways, one fetches an original, and the others wait for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from services.gateway.sources.addresses import Address
from services.gateway.sources.remembered import Known, known_from
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, redis_errors
from services.runtime.redis.scripts import load_script

_CLAIM = load_script(__package__, "claim", when_full=True)
_LIFE = 3000  # milliseconds without a word of its owner: the owner is dead
_INTERVAL = 1.0  # seconds from one word to the next


@dataclass(frozen=True)
class Claim:
    """An attempt to claim an original."""

    held: bool
    """False if another fetch has it now."""
    known: Known
    """The record of the original at that moment."""


class Claims:
    """Claims in the name of this process. Raises Unavailable."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    @asynccontextmanager
    async def hold(self, address: Address) -> AsyncIterator[Claim]:
        """Claim an original for the time of the block."""
        owner, key = uuid4().hex, address.key
        names = keys.origin_claim(key), keys.origin(key), keys.origin_failure(key)
        with redis_errors():
            held, *known = await self._redis.script(_CLAIM, names, (owner, _LIFE))
        if not held:
            yield Claim(False, known_from(*known))
            return
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def renew() -> None:
            nonlocal timer
            self._send(names, owner, _LIFE)
            timer = loop.call_later(_INTERVAL, renew)

        timer = loop.call_later(_INTERVAL, renew)
        try:
            yield Claim(True, known_from(*known))
        finally:
            timer.cancel()
            self._send(names, owner, 0)

    def _send(self, names: tuple[str, ...], owner: str, life: int) -> None:
        """Send a word without waiting for an answer: a lost one ends the claim earlier or later."""
        self._redis.script_soon(_CLAIM, names, (owner, life), lambda *_: None)
