"""Who is alive: each worker says so every second, by its name, for every address it serves.

Times are Redis's own, so the clocks of the hosts don't matter.
"""

import asyncio
import math
import os
import platform
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import structlog
from pydantic import TypeAdapter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.runtime.liveness.server_clock import Clock
from services.runtime.settings import RuntimeSettings
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

WORKERS_KEY = "darkroom:workers"

Report = dict[str, str | int | float]
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)

# KEYS: the workers' hash, then for each address its responders and their rooms.
# ARGV: name, life in ms, report, room.
_BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #KEYS, 2 do
  redis.call('ZADD', KEYS[i], now + ARGV[2], ARGV[1])
  redis.call('HSET', KEYS[i + 1], ARGV[1], ARGV[4])
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', now - 60000)) do
    redis.call('ZREM', KEYS[i], dead)
    redis.call('HDEL', KEYS[i + 1], dead)
    redis.call('HDEL', KEYS[1], dead)
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return time
"""

_ALIVE = """
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')
"""


def responders_key(address: str) -> str:
    """The sorted set of the workers that serve `address`, by the moment they count as dead."""
    return f"darkroom:responders:{address}"


def rooms_key(address: str) -> str:
    """The hash of how much each worker that serves `address` takes in at once."""
    return f"darkroom:rooms:{address}"


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

    async def alive(self, address: str) -> set[str]:
        """The names of those that serve `address` now."""
        return await alive(self._redis, address)

    async def reports(self, address: str) -> dict[str, Report]:
        """What each living worker that serves `address` last said of itself, by name."""
        names = sorted(await alive(self._redis, address))
        if not names:
            return {}
        said = await self._redis.hmget(WORKERS_KEY, names)
        pairs = zip(names, said, strict=True)
        return {name: _REPORT.validate_json(text) for name, text in pairs if text is not None}


class Heartbeat:
    """One process's heartbeat: it keeps the clock, and says that a worker lives."""

    def __init__(
        self,
        redis: Redis,
        name: str,
        settings: RuntimeSettings,
        clock: Clock,
        *,
        room: int,
        report: Callable[[], Report],
    ) -> None:
        self._redis = redis
        self._name = name
        self._settings = settings
        self._clock = clock
        self._room = room
        self._report = report
        self._beat_script = redis.register_script(_BEAT)
        self._addresses: Sequence[str] = ()
        self._heart: asyncio.Task[None] | None = None
        self._beaten = self._steady_since = -math.inf

    @property
    def steady(self) -> bool:
        """Whether this process has been heard without a gap for as long as others count as alive.

        After a Redis that was away nobody's heartbeat is there, and that says nothing of anybody.
        """
        return time.monotonic() - self._steady_since > self._settings.heartbeat_ttl

    @property
    def heartbeat_ttl(self) -> float:
        """Seconds without a heartbeat until a worker counts as dead."""
        return self._settings.heartbeat_ttl

    @property
    def beating(self) -> bool:
        """Whether heartbeats are sent."""
        return self._heart is not None and not self._heart.done()

    async def start(self, addresses: Sequence[str]) -> None:
        """Say that this process serves `addresses`, which may be none, and go on saying so."""
        if self._heart is None:
            self._addresses = addresses
            await self._beat()
            self._heart = asyncio.create_task(self._beat_on(), name="heartbeat")

    async def stop(self) -> None:
        """Say that this worker takes nothing more, so that nobody sends to it or waits for it."""
        if self._heart is None:
            return
        await end(self._heart)
        self._heart = None
        with suppress(RedisError, OSError):
            async with self._redis.pipeline(transaction=True) as pipe:
                for address in self._addresses:
                    pipe.zrem(responders_key(address), self._name)
                    pipe.hdel(rooms_key(address), self._name)
                pipe.hdel(WORKERS_KEY, self._name)
                await pipe.execute()

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_interval)
            try:
                await self._beat()
            except (RedisError, OSError) as exc:
                # Redis forgets this worker for now, which is right: it can't be reached.
                log.debug("no heartbeat", reason=str(exc))
            except Exception as exc:
                log.error("heartbeat failed", exc_info=exc)

    async def _beat(self) -> None:
        asked = self._clock.host()
        said = await (self._say_alive() if self._addresses else self._redis.time())
        seconds, microseconds = map(int, said)
        server = seconds + microseconds / 1_000_000
        self._clock.set(asked=asked, answered=self._clock.host(), server=server)
        now = time.monotonic()
        if now - self._beaten > self._settings.heartbeat_ttl / 2 and self._beaten > -math.inf:
            self._steady_since = now
        self._beaten = now

    async def _say_alive(self) -> tuple[bytes, bytes]:
        keys = [WORKERS_KEY]
        for address in self._addresses:
            keys += [responders_key(address), rooms_key(address)]
        life = int(self._settings.heartbeat_ttl * 1000)
        report = _REPORT.dump_json({**_about_this_process(), **self._report()})
        args: list[Any] = [self._name, life, report, self._room]
        answer: tuple[bytes, bytes] = await self._beat_script(keys=keys, args=args)
        return answer


_STARTED = datetime.now(UTC).isoformat(timespec="seconds")


@cache
def _about_this_process() -> Report:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": _STARTED,
        "python": platform.python_version(),
        "faststream": version("faststream"),
    }
