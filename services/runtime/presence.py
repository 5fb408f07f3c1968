"""Who is alive: each worker says so every second, by its name, for every address it serves.

Times are Redis's own, so the clocks of the hosts don't matter.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import structlog
from pydantic import TypeAdapter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.runtime.connection import LOST
from services.runtime.settings import RuntimeSettings

log = structlog.get_logger(__name__)

WORKERS_KEY = "darkroom:workers"

Report = dict[str, str | int | float]
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)

# KEYS: the workers' hash, then the responders of each address. ARGV: name, life in ms, report.
_BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #KEYS do
  redis.call('ZADD', KEYS[i], now + ARGV[2], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - 60000)
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
for i, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not redis.call('ZSCORE', KEYS[2], name) then
    redis.call('HDEL', KEYS[1], name)
  end
end
"""

_ALIVE = """
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')
"""


def responders_key(address: str) -> str:
    """The sorted set of the workers that serve `address`, by the moment they count as dead."""
    return f"darkroom:responders:{address}"


def new_worker_name() -> str:
    """A name that no other process has or will have."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"


async def alive(redis: Redis, address: str) -> set[str]:
    """The names of the workers that serve `address` now."""
    names = await redis.register_script(_ALIVE)(keys=[responders_key(address)])
    return {name.decode() for name in names}


class Workers:
    """Who serves an address, for those who want to know."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def reports(self, address: str) -> dict[str, Report]:
        """What each living worker that serves `address` last said of itself, by name."""
        names = sorted(await alive(self._redis, address))
        if not names:
            return {}
        said = await self._redis.hmget(WORKERS_KEY, names)
        pairs = zip(names, said, strict=True)
        return {name: _REPORT.validate_json(text) for name, text in pairs if text is not None}


class Presence:
    """One worker's heartbeat, for as long as it is started."""

    def __init__(
        self,
        redis: Redis,
        name: str,
        settings: RuntimeSettings,
        *,
        report: Callable[[], Report],
    ) -> None:
        self._redis = redis
        self._name = name
        self._settings = settings
        self._report = report
        self._addresses: Sequence[str] = ()
        self._heart: asyncio.Task[None] | None = None

    async def start(self, addresses: Sequence[str]) -> None:
        """Say that this worker serves `addresses`, and go on saying so."""
        self._addresses = addresses
        if addresses and self._heart is None:
            await self._beat()
            self._heart = asyncio.create_task(self._beat_on(), name="heartbeat")

    async def stop(self) -> None:
        """Say that this worker takes nothing more, so that nobody sends to it or waits for it."""
        if self._heart is None:
            return
        self._heart.cancel()
        with suppress(asyncio.CancelledError):
            await self._heart
        self._heart = None
        with suppress(*LOST):
            async with self._redis.pipeline(transaction=True) as pipe:
                for address in self._addresses:
                    pipe.zrem(responders_key(address), self._name)
                pipe.hdel(WORKERS_KEY, self._name)
                await pipe.execute()

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_interval)
            # A Redis that is away forgets this worker for now, which is right: it can't be reached.
            with suppress(RedisError, OSError):
                await self._beat()

    async def _beat(self) -> None:
        beat = self._redis.register_script(_BEAT)
        keys = [WORKERS_KEY, *map(responders_key, self._addresses)]
        life = int(self._settings.heartbeat_ttl * 1000)
        args: list[Any] = [self._name, life, _REPORT.dump_json(self._report())]
        await beat(keys=keys, args=args)
