"""Consumer of a Pub/Sub channel."""

from typing import ClassVar

from contracts.methods import Transport
from services.runtime.capacity import Capacity
from services.runtime.messaging.consumer import Consumer, Deliver, Received
from services.runtime.redis.client import RedisClient
from services.runtime.redis.subscription import Subscription


class ChannelConsumer(Consumer):
    """Accepts every message at once, whatever the capacity: a channel keeps nothing for later.

    Subscribes to `address` and to `own_channel`, to which callers publish for this worker alone.
    """

    transport: ClassVar = Transport.CHANNEL

    def __init__(
        self,
        address: str,
        own_channel: str,
        capacity: Capacity,
        redis: RedisClient,
        *,
        graceful_timeout: float,
    ) -> None:
        super().__init__(address, capacity, graceful_timeout=graceful_timeout)
        self._own_channel = own_channel
        self._redis = redis
        self._subscription: Subscription | None = None

    async def start(self, deliver: Deliver) -> None:
        """Subscribe; from its return on no message is missed while Redis is there."""
        self._deliver = deliver
        self._subscription = self._redis.subscribe(
            self.address, self._own_channel, on_message=self._on_message
        )
        await self._subscription.listen()
        await super().start(deliver)

    async def _close_connection(self) -> None:
        if self._subscription is not None:
            await self._subscription.aclose()

    def _end_reading(self) -> None:
        if self._subscription is not None and self._subscription.open:
            # Reading ends by itself, after the last message before the unsubscription.
            self._subscription.unsubscribe()
        else:
            self._reading = False

    async def _read(self) -> None:
        assert self._subscription is not None
        await self._subscription.listen()
        await self._subscription.end()
        self._reading = False

    def _on_message(self, channel: str, data: bytes) -> None:
        self._accept(Received(channel, data))
