"""Consumer of a list."""

from typing import ClassVar

from contracts.methods import Transport
from services.runtime.capacity import Capacity
from services.runtime.messaging.consumer import POLL, Consumer, Received
from services.runtime.redis.client import RedisClient


class ListConsumer(Consumer):
    """Takes as many messages as there is capacity for with one BLMPOP (Redis 7)."""

    transport: ClassVar = Transport.LIST

    def __init__(
        self, address: str, capacity: Capacity, redis: RedisClient, *, graceful_timeout: float
    ) -> None:
        super().__init__(address, capacity, graceful_timeout=graceful_timeout)
        self._reads = redis.dedicated()

    async def _close_connection(self) -> None:
        await self._reads.disconnect()

    async def _read(self) -> None:
        if not await self._wait_for_capacity():
            return
        popped = await self._reads.execute(
            "BLMPOP", POLL, 1, self.address, "LEFT", "COUNT", max(1, self._capacity.free)
        )
        for data in popped[1] if popped else ():
            self._accept(Received(self.address, data))
