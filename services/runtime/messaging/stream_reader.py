"""Consumer of a stream that everybody reads, such as the jobs' events."""

import time
from collections.abc import Callable
from typing import ClassVar

import structlog

from contracts.methods import Transport
from services.runtime.capacity import Capacity
from services.runtime.messaging.consumer import POLL, Consumer, Deliver, Received
from services.runtime.redis.client import RedisClient
from services.runtime.redis.stream_entries import entries_read

log = structlog.get_logger(__name__)

_BATCH = 100  # entries of one read
_NONE = "0-0"  # before the first entry
_MAX_READ_INTERVAL = 5.0  # seconds between reads, after which entries may have been trimmed unread


class StreamReader(Consumer):
    """Reads every entry that is added after the start, one after the other, in order.

    Calls `on_gap` when entries were trimmed before they could be read, or were lost. It looks for a
    gap after a long time without a read, and after each full batch: then more entries wait, and
    this reader may be too slow for the stream's length. It also looks at each new connection: the
    server that is there now may have less than the one before. The time before the start is a gap,
    too: HTTP is served while a service starts, and a client may have read its past before.
    """

    transport: ClassVar = Transport.STREAM

    def __init__(self, address: str, redis: RedisClient, *, on_gap: Callable[[], None]) -> None:
        super().__init__(address, Capacity(1), graceful_timeout=0)
        self._redis = redis
        self._reads = redis.dedicated()
        self._on_gap = on_gap
        self._last_id = _NONE
        self._read_at = 0.0
        self._connections = 0

    async def start(self, deliver: Deliver) -> None:
        """Note the stream's present end; `$` would mean a later end at each read."""
        self._last_id = await self._latest()
        self._read_at = time.monotonic()
        self._on_gap()
        await super().start(deliver)

    async def _close_connection(self) -> None:
        await self._reads.disconnect()

    async def _read(self) -> None:
        late = time.monotonic() - self._read_at > _MAX_READ_INTERVAL
        read = await self._reads.execute(
            *("XREAD", "COUNT", _BATCH, "BLOCK", int(POLL * 1000)),
            *("STREAMS", self.address, self._last_id),
        )
        self._read_at = time.monotonic()
        entries, connections = list(entries_read(read)), self._reads.connections
        is_new = connections != self._connections
        if is_new or (entries and late) or len(entries) == _BATCH:
            await self._look_for_gap()
        self._connections = connections
        for entry, fields in entries:
            self._last_id = entry.decode()
            await self._handle(Received(self.address, fields, entry))

    async def _look_for_gap(self) -> None:
        """Call `on_gap` if the last entry read is gone: trimmed, or lost with Redis's data."""
        last = self._last_id
        if last == _NONE or await self._redis.execute("XRANGE", self.address, last, last):
            return
        log.warning("events were trimmed before they were read, or lost", address=self.address)
        # A server that has lost it may have a clock that is behind, and give earlier ids.
        self._last_id = await self._latest()
        self._on_gap()

    async def _latest(self) -> str:
        """Return the id of the stream's last entry."""
        last = await self._redis.execute("XREVRANGE", self.address, "+", "-", "COUNT", 1)
        return last[0][0].decode() if last else _NONE
