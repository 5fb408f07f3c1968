"""Consumer of a stream as a member of a consumer group.

FastStream's own stops for good when the group vanishes, never acknowledges a message that failed,
and leaves the entries of a dead member where they are.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import structlog
from redis.exceptions import RedisError, ResponseError

from contracts.methods import Transport
from services.runtime.capacity import Capacity
from services.runtime.liveness.heartbeat import Heartbeat, alive
from services.runtime.messaging.consumer import POLL, Consumer, Deliver, Received
from services.runtime.messaging.pending_entries import PendingEntries
from services.runtime.redis.client import RedisClient
from services.runtime.redis.replies import is_outage
from services.runtime.redis.scripts import load_script
from services.runtime.redis.stream_entries import ACKNOWLEDGE, Fields, entries_read
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

RECLAIM_INTERVAL = 1.0
"""Seconds between two rounds that look for entries to reclaim."""

_REMOVE_IDLE = load_script(__package__, "remove_idle_consumer")

GiveUp = Callable[[Received, Exception], Awaitable[None]]
"""End the work of an entry that failed for the last time; the entry is removed afterwards."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry that was given to this member by another way than the consumer's own reads."""

    received: Received
    handle: Callable[[], Awaitable[bool]]
    """Handle the entry; return whether it has left the stream already."""


TakeNext = Callable[[], Awaitable[Taken | None]]
"""Take the stream's next entry; None when there is none, or when this member wants none."""


async def drop(received: Received, exc: Exception) -> None:
    """Give an entry up that stands for nothing but itself."""


class StreamConsumer(Consumer):
    """Member of a consumer group: acknowledges and deletes each entry that is finished.

    Owns every entry that this member is given, by its own reads or by `take_next`, which it calls
    after each entry that it has handled. Delivers an entry whose handler raised again after a
    growing delay, in which the entry takes no capacity. Redis counts the deliveries; after
    `max_deliveries` the consumer calls `give_up` and removes the entry. A delivery that an outage
    of Redis ended does not count.

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
        max_deliveries: int,
        give_up: GiveUp = drop,
        take_next: TakeNext | None = None,
    ) -> None:
        super().__init__(address, capacity, graceful_timeout=graceful_timeout)
        self._max_deliveries = max_deliveries
        self._give_up = give_up
        self._take_next = take_next
        self._group = group
        self._name = name
        self._heartbeat = heartbeat
        self._redis = redis
        self._reads = redis.dedicated()
        self._pending = PendingEntries(redis, address, group, name, wait=heartbeat.heartbeat_ttl)
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
            self._accept_entry(entry, fields, deliveries=1)

    def _accept_entry(self, entry: bytes, fields: Fields, *, deliveries: int) -> None:
        if self._pending.own(entry):
            self._accept(Received(self.address, fields, entry, deliveries))

    async def _handle(self, received: Received) -> bool:
        finished = await self._settle(received, partial(self._pass_on, received))
        while (taken := await self._taken()) is not None:
            await self._settle(taken.received, taken.handle)
        return finished

    async def _pass_on(self, received: Received) -> bool:
        assert self._deliver is not None
        await self._deliver(received)
        return False

    async def _taken(self) -> Taken | None:
        """Take the next entry by `take_next`, which spares the consumer's own round trip."""
        if self._take_next is None or not self._reading:
            return None
        try:
            taken = await self._take_next()
        except Exception as exc:
            # Redis may have given the entry: then it is pending, and this consumer reclaims it.
            log.warning("could not take the next", reason=repr(exc), address=self.address)
            return None
        # An entry whose reply came late may have been reclaimed meanwhile.
        return taken if taken is not None and self._pending.own(_entry_of(taken.received)) else None

    async def _settle(self, received: Received, handle: Callable[[], Awaitable[bool]]) -> bool:
        """Handle an entry, and remove it or leave it for a redelivery; return whether it is gone.

        `handle` returns whether the entry has left the stream already.
        """
        entry = _entry_of(received)
        finished = left = False
        try:
            left = await handle()
            finished = True
        except Exception as exc:
            finished = await self._on_failure(received, exc)
        finally:
            if finished:
                self._pending.note_end(entry, interrupted=False)
            if finished and not left:
                mine = [self._group, entry, self._name]
                acknowledged = partial(self._on_acknowledged, entry)
                self._redis.script_soon(ACKNOWLEDGE, [self.address], mine, acknowledged, retry=True)
            else:
                self._pending.leave(entry)
        return finished

    async def _on_failure(self, received: Received, exc: Exception) -> bool:
        entry, deliveries = _entry_of(received), received.deliveries
        finished = await super()._on_failure(received, exc)
        interrupted = is_outage(exc)
        self._pending.note_end(entry, interrupted=interrupted)
        if interrupted or (not finished and deliveries < self._max_deliveries):
            return False
        try:
            await self._give_up(received, exc)
        except Exception as failure:
            log.error("could not give up", exc_info=failure, address=self.address)
            return False
        what = {"entry": entry.decode(), "deliveries": deliveries}
        log.error("message given up", **what, address=self.address)
        return True

    def _on_acknowledged(self, entry: bytes, answer: asyncio.Future[Any]) -> None:
        self._pending.leave(entry)
        if (exc := answer.exception()) is not None:
            # The entry stays pending, and this consumer reclaims it from itself.
            log.warning("could not acknowledge", reason=str(exc), address=self.address)

    async def _reclaim_loop(self) -> None:
        while True:
            await asyncio.sleep(RECLAIM_INTERVAL)
            try:
                await self._reclaim()
            except (RedisError, OSError) as exc:
                log.debug("could not reclaim entries", reason=str(exc), address=self.address)
            except Exception as exc:
                log.error("reclaiming entries failed", exc_info=exc, address=self.address)

    async def _reclaim(self) -> None:
        """Reclaim the entries of dead members, and own entries that failed or are finished."""
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
        # A fair share even when this worker is full: the entries have waited for a dead worker
        # already.
        def share(number: int) -> int:
            wanted = self._reading and not self._capacity.paused
            return max(1, self._capacity.free, -(-number // max(1, living))) * wanted

        for entry, fields, deliveries in await self._pending.claim_from(consumer, share=share):
            log.info("reclaimed", entry=entry.decode(), consumer=consumer, address=self.address)
            self._accept_entry(entry, fields, deliveries=deliveries)

    async def _remove_if_idle(self, consumer: str) -> None:
        try:
            # The shared connection keeps the order, so acknowledgements come first.
            await self._redis.script(_REMOVE_IDLE, [self.address], [self._group, consumer])
        except (RedisError, OSError) as exc:
            log.debug("could not leave the group", reason=str(exc), address=self.address)


def _entry_of(received: Received) -> bytes:
    assert received.entry is not None
    return received.entry
