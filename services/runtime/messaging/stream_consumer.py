"""Consumer of a stream as a member of a consumer group.

FastStream's own stops for good when the group vanishes, never acknowledges a message that failed,
and leaves the entries of a dead member where they are.
"""

import asyncio
from functools import partial
from typing import Any, ClassVar

import structlog
from redis.exceptions import RedisError, ResponseError

from contracts.methods import Transport
from services.runtime.capacity import Capacity
from services.runtime.liveness.heartbeat import Heartbeat, alive
from services.runtime.messaging.consumer import POLL, Consumer, Deliver, Received
from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Command
from services.runtime.redis.scripts import load_script
from services.runtime.redis.stream_entries import ACKNOWLEDGE, Fields, entries_from, entries_read
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_MAX_PENDING_READ = 1000  # pending entries that one round looks at

_REMOVE_IDLE = load_script(__package__, "remove_idle_consumer")


class StreamConsumer(Consumer):
    """Member of a consumer group: acknowledges and deletes each entry that is finished.

    Reclaims the entries that dead members left unfinished. A member is dead when its heartbeat is
    missing, so a slow one that lives keeps its entries, however long it takes.
    """

    transport: ClassVar = Transport.STREAM

    def __init__(
        self,
        address: str,
        group: str,
        name: str,
        capacity: Capacity,
        heartbeat: Heartbeat,
        *,
        redis: RedisClient,
        graceful_timeout: float,
    ) -> None:
        super().__init__(address, capacity, graceful_timeout=graceful_timeout)
        self._group = group
        self._name = name
        self._heartbeat = heartbeat
        self._redis = redis
        self._reads = redis.dedicated()
        self._unfinished: set[bytes] = set()
        self._reclaimer: asyncio.Task[None] | None = None

    async def start(self, deliver: Deliver) -> None:
        """Join the group; a new group begins at the stream's first entry."""
        await self._create_group()
        await super().start(deliver)
        self._reclaimer = asyncio.create_task(self._reclaim_loop(), name=f"reclaim {self.address}")

    async def stop(self) -> None:
        """Leave the group, unless entries are left for other members to reclaim."""
        await end(self._reclaimer)
        await super().stop()
        await self._remove_if_idle(self._name)

    @property
    def running(self) -> bool:
        """Whether the tasks that read and reclaim entries run."""
        return super().running and self._reclaimer is not None and not self._reclaimer.done()

    async def _close_connection(self) -> None:
        await self._reads.disconnect()

    async def _create_group(self) -> None:
        try:
            await self._redis.execute(
                "XGROUP", "CREATE", self.address, self._group, "0", "MKSTREAM"
            )
        except ResponseError as exc:
            if "BUSYGROUP" not in str(exc):
                raise

    async def _read(self) -> None:
        if not await self._wait_for_capacity():
            return
        try:
            read = await self._reads.execute(
                *("XREADGROUP", "GROUP", self._group, self._name),
                *("COUNT", max(1, self._capacity.free), "BLOCK", int(POLL * 1000)),
                *("STREAMS", self.address, ">"),
            )
        except ResponseError as exc:
            if "NOGROUP" not in str(exc):
                raise
            log.warning("consumer group vanished, creating it again", address=self.address)
            await self._create_group()
            return
        for entry, fields in entries_read(read):
            self._accept_entry(entry, fields)

    def _accept_entry(self, entry: bytes, fields: Fields) -> None:
        if entry not in self._unfinished:
            self._unfinished.add(entry)
            self._accept(Received(self.address, fields, entry))

    async def _handle(self, received: Received) -> bool:
        entry = received.entry
        assert entry is not None
        finished = False
        try:
            finished = await super()._handle(received)
        finally:
            if finished:
                mine = [self._group, entry, self._name]
                acknowledged = partial(self._on_acknowledged, entry)
                self._redis.script_soon(ACKNOWLEDGE, [self.address], mine, acknowledged, retry=True)
            else:
                self._unfinished.discard(entry)
        return finished

    def _on_acknowledged(self, entry: bytes, answer: asyncio.Future[Any]) -> None:
        self._unfinished.discard(entry)
        if (exc := answer.exception()) is not None:
            # The entry stays pending, and this consumer reclaims it from itself.
            log.warning("could not acknowledge", reason=str(exc), address=self.address)

    async def _reclaim_loop(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            try:
                await self._reclaim()
            except (RedisError, OSError) as exc:
                log.debug("could not reclaim entries", reason=str(exc), address=self.address)
            except Exception as exc:
                log.error("reclaiming entries failed", exc_info=exc, address=self.address)

    async def _reclaim(self) -> None:
        """Reclaim the entries of dead members, and own entries that could not be acknowledged."""
        living = await alive(self._redis, self.address)
        ttl = self._heartbeat.heartbeat_ttl
        for consumer in await self._redis.execute("XINFO", "CONSUMERS", self.address, self._group):
            name = consumer[b"name"].decode(errors="replace")
            own = name == self._name
            dead = name not in living and self._heartbeat.steady
            if own or dead:
                await self._reclaim_from(name, len(living))
            if not own and dead and consumer[b"idle"] > 1000 * ttl:
                await self._remove_if_idle(name)

    async def _reclaim_from(self, consumer: str, living: int) -> None:
        """Claim entries that `consumer` left unfinished.

        Claiming resets an entry's idle time, so only one member gets it.
        """
        idle = int(self._heartbeat.heartbeat_ttl * 1000)
        pending: Command = ("XPENDING", self.address, self._group, "IDLE", idle)
        left = await self._redis.execute(*pending, "-", "+", _MAX_PENDING_READ, consumer)
        ids = [entry for entry, *_ in left if entry not in self._unfinished]
        # Claim a fair share even when this worker is full: the entries have waited for a dead
        # worker already.
        entries = ids[: max(1, self._capacity.free, -(-len(ids) // max(1, living)))]
        if entries and self._reading:
            claimed = await self._redis.execute(
                "XCLAIM", self.address, self._group, self._name, idle, *entries
            )
            for entry, fields in entries_from(claimed):
                log.info("reclaimed", entry=entry.decode(), consumer=consumer, address=self.address)
                self._accept_entry(entry, fields)

    async def _remove_if_idle(self, consumer: str) -> None:
        try:
            # The shared connection keeps the order, so acknowledgements come first.
            await self._redis.script(_REMOVE_IDLE, [self.address], [self._group, consumer])
        except (RedisError, OSError) as exc:
            log.debug("could not leave the group", reason=str(exc), address=self.address)
