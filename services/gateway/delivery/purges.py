"""News of purges: a purge on any gateway reaches the cache of every gateway.

A gateway that may have missed one gives no answer from its cache. It hears when a PING, sent after
the last message that it may have missed, was answered over the same connection: Redis answers in
order. So a purge counts after `LEASE` seconds at the latest, whatever happens to connections.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import structlog
from redis.exceptions import RedisError

from contracts.control import CONTROL, Purged
from services.runtime.messaging.envelope import body_of, new_correlation_id, pack_message
from services.runtime.redis.client import RECONNECT_DELAY, RedisClient
from services.runtime.redis.subscription import Subscription
from services.runtime.rpc.control import read_control
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

LEASE = 1.0
"""Seconds after an answered PING in which the cache is used."""

_PING_INTERVAL = 0.25  # seconds


class PurgeNews:
    """Calls `on_purge` with each purged image, and `on_loss` when purges may have been missed."""

    def __init__(
        self, redis: RedisClient, *, on_purge: Callable[[str], None], on_loss: Callable[[], None]
    ) -> None:
        self._redis = redis
        self._on_purge = on_purge
        self._on_loss = on_loss
        self._subscription: Subscription | None = None
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen, and retry while Redis is away."""
        self._listener = asyncio.create_task(self._listen(), name="purge-news")

    async def stop(self) -> None:
        """Listen no more."""
        await end(self._listener)

    def hears(self) -> bool:
        """Return whether every purge that is older than `LEASE` seconds was heard."""
        subscription = self._subscription
        if subscription is None:
            return False
        return asyncio.get_running_loop().time() - subscription.confirmed < LEASE

    async def announce(self, image: str) -> None:
        """Tell all gateways of a purge. Raises RedisError."""
        data = pack_message(Purged(image=image), new_correlation_id())
        await self._redis.execute("PUBLISH", CONTROL, data)

    async def _listen(self) -> None:
        subscription = self._redis.subscribe(
            CONTROL, on_message=self._take, ping_interval=_PING_INTERVAL
        )
        async with aclosing(subscription):
            lost = False
            while True:
                try:
                    await subscription.listen()
                    # Answers that were begun before may have missed a purge.
                    self._on_loss()
                    self._subscription = subscription
                    await subscription.end()
                except (RedisError, OSError) as exc:
                    if self._subscription is not None or not lost:
                        log.warning("purges are not heard of", reason=str(exc))
                    lost = True
                except Exception as exc:
                    log.error("news of purges failed", exc_info=exc)
                finally:
                    self._subscription = None
                    self._on_loss()
                await asyncio.sleep(RECONNECT_DELAY)

    def _take(self, channel: str, data: bytes) -> None:
        message = read_control(body_of(data))
        if isinstance(message, Purged):
            self._on_purge(message.image)
