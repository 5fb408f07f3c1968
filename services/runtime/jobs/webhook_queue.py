"""Webhook deliveries that are due, in Redis: taken under a lease, so that none is lost or doubled.

Whoever ends a job that has a webhook puts it here, in the same script. A delivery that is taken is
due again when its lease is over: that of a process that died comes up once more, and nobody else
has it before. All times are Redis's own.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from redis.asyncio import Redis

from services.runtime.redis.client import redis_errors

DUE = "darkroom:webhooks"
"""The sorted set of the jobs whose end is to be told, by the moment (ms) at which that is due."""

ATTEMPTS = "darkroom:webhooks:attempts"
"""The hash of how often each of them was taken."""

# KEYS: due, attempts. ARGV: how many at most, lease in ms.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local taken = {}
for _, job in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], job)
  taken[#taken + 1] = {job, redis.call('HINCRBY', KEYS[2], job, 1), now + ARGV[2]}
end
return taken
"""

# KEYS: due, attempts. ARGV: job, the moment its lease ends. Where that is another, the job has
# ended once more meanwhile, or somebody else has the delivery: it stays.
_DONE = """
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0) == tonumber(ARGV[2]) then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
"""

# KEYS: due. ARGV: job, the moment its lease ends, delay in ms.
_RETRY = """
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0) == tonumber(ARGV[2]) then
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3], ARGV[1])
end
"""


@dataclass(frozen=True)
class Delivery:
    """One try to tell of a job's end."""

    job: str
    attempt: int  # counts from 1
    leased_until: int  # milliseconds: nobody else has it before


class WebhookQueue:
    """The webhook deliveries of the suite. All of it raises Unavailable while Redis is away."""

    def __init__(self, redis: Redis, *, lease: float) -> None:
        self._redis = redis
        self._lease = int(lease * 1000)

    async def take(self, most: int) -> list[Delivery]:
        """What is due, the longest first; each stays this caller's for the time of the lease."""
        taken = await self._run(_TAKE, [DUE, ATTEMPTS], most, self._lease)
        return [Delivery(job.decode(), attempt, until) for job, attempt, until in taken]

    async def done(self, delivery: Delivery) -> None:
        """Forget a delivery, heard or given up."""
        await self._run(_DONE, [DUE, ATTEMPTS], delivery.job, delivery.leased_until)

    async def retry(self, delivery: Delivery, delay: float) -> None:
        """Have a delivery come up again in `delay` seconds."""
        await self._run(_RETRY, [DUE], delivery.job, delivery.leased_until, int(delay * 1000))

    async def disable(self, url: str, *, ttl: int) -> None:
        """Tell this URL nothing more, for `ttl` seconds."""
        with redis_errors():
            await self._redis.set(_disabled(url), 1, ex=ttl)

    async def is_disabled(self, url: str) -> bool:
        """Whether this URL wants nothing more."""
        with redis_errors():
            return bool(await self._redis.exists(_disabled(url)))

    async def _run(self, script: str, keys: list[str], *args: Any) -> Any:
        with redis_errors():
            return await self._redis.register_script(script)(keys=keys, args=list(args))


def _disabled(url: str) -> str:
    return f"darkroom:webhooks:disabled:{sha256(url.encode()).hexdigest()}"
