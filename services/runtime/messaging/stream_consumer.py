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
from services.runtime.capacity import FEW, Capacity
from services.runtime.liveness.heartbeat import Heartbeat
from services.runtime.messaging.consumer import POLL, Consumer, Deliver, Received
from services.runtime.messaging.destination import DATA_FIELD
from services.runtime.messaging.pending_entries import PendingEntries
from services.runtime.messaging.reclaimer import Reclaimer
from services.runtime.messaging.unreadable import Damaged, UnknownVersion
from services.runtime.redis.client import RedisClient
from services.runtime.redis.replies import is_outage
from services.runtime.redis.stream_entries import ACKNOWLEDGE, entries_read

log = structlog.get_logger(__name__)

_MAX_ACKNOWLEDGED = 1000  # entries of one script: Lua's unpack takes 8,000 at most

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


HasLeft = Callable[[bytes], bool]
"""Return whether an entry that was handled has left the stream already. Called once for each."""


async def drop(received: Received, exc: Exception) -> None:
    """Give an entry up that stands for nothing but itself."""


class StreamConsumer(Consumer):
    """Member of a consumer group: acknowledges and deletes each entry that is finished.

    Owns every entry that this member is given, by its own reads or by `take_next`, which it calls
    after each entry that it has handled, unless its own read waits for the next one already.
    Delivers an entry whose handler raised again after a
    growing delay, in which the entry takes no capacity. Redis counts the deliveries; after
    `max_deliveries` the consumer calls `give_up` and removes the entry. A delivery that an outage
    of Redis ended does not count.

    Leaves an entry whose handler raises UnknownVersion to members that can read that version: they
    have it among their `versions`. After `unknown_version_wait` seconds the entry is given up.

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
        has_left: HasLeft = lambda entry: False,
        versions: frozenset[int] = frozenset(),
        unknown_version_wait: float = 600.0,
    ) -> None:
        super().__init__(address, capacity, graceful_timeout=graceful_timeout)
        self._max_deliveries = max_deliveries
        self._give_up = give_up
        self._take_next = take_next
        self._has_left = has_left
        self._group = group
        self._name = name
        self._redis = redis
        self._reads = redis.dedicated()
        self._finished: list[bytes] = []  # entries to acknowledge in the next turn of the loop
        self._pending = PendingEntries(redis, address, group, name, wait=heartbeat.heartbeat_ttl)
        self._reclaimer = Reclaimer(
            redis,
            self._pending,
            heartbeat,
            capacity,
            versions=versions,
            unknown_version_wait=unknown_version_wait,
            on_claimed=self._accept_new,
            on_expired=self._on_expired,
        )

    async def start(self, deliver: Deliver) -> None:
        """Join the group; a new group begins at the stream's first entry."""
        await self._create_group()
        await super().start(deliver)
        self._reclaimer.start()

    async def stop(self) -> None:
        """Leave the group, unless entries are left for other members to reclaim."""
        await self._reclaimer.stop()
        await super().stop()
        self._acknowledge()
        await self._reclaimer.leave(self._name)

    @property
    def running(self) -> bool:
        """True while the tasks that read and reclaim entries run."""
        return super().running and self._reclaimer.running

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
            self._accept_new(Received(self.address, fields, entry))

    def _accept_new(self, received: Received) -> None:
        if self._pending.own(_entry_of(received)):
            self._accept(received)

    async def _handle(self, received: Received) -> bool:
        finished = await self._settle(received, partial(self._pass_on, received))
        while (taken := await self._taken()) is not None:
            await self._settle(taken.received, taken.handle)
        return finished

    async def _pass_on(self, received: Received) -> bool:
        assert self._deliver is not None
        if DATA_FIELD.encode() not in received.data:
            raise Damaged("The entry has no message.")
        try:
            await self._deliver(received)
        finally:
            # After a failure as well: the owner of the hook keeps the answer until then.
            left = self._has_left(_entry_of(received))
        return left

    async def _taken(self) -> Taken | None:
        """Take the next entry by `take_next`, which spares the consumer's own round trip.

        While there is room, that read waits in Redis, and is given the next entry at once: there is
        nothing to take then.
        """
        if self._take_next is None or not self._reading or self._capacity.free:
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
                self._acknowledge_soon(entry)
            else:
                self._pending.leave(entry)
        return finished

    async def _on_failure(self, received: Received, exc: Exception) -> bool:
        entry, deliveries = _entry_of(received), received.deliveries
        if isinstance(exc, UnknownVersion):
            return await self._park(entry, exc)
        finished = await super()._on_failure(received, exc)
        interrupted = is_outage(exc)
        self._pending.note_end(entry, interrupted=interrupted)
        if interrupted or not (finished or deliveries >= self._max_deliveries):
            return False
        try:
            await self._give_up(received, exc)
        except UnknownVersion as unknown:
            return await self._park(entry, unknown)
        except Exception as failure:
            log.error("could not give up", exc_info=failure, address=self.address)
            return False
        what = {"entry": entry.decode(), "deliveries": deliveries}
        log.error("message given up", **what, address=self.address)
        return True

    async def _park(self, entry: bytes, unknown: UnknownVersion) -> bool:
        """Leave an entry to the members that can read its version."""
        log.warning("left to another version", reason=unknown.detail, address=self.address)
        try:
            await self._pending.park(entry, unknown.version)
        except (RedisError, OSError) as exc:
            # The entry stays this member's; it is delivered and parked again.
            log.warning("message interrupted", reason=str(exc), address=self.address)
        return False

    def _acknowledge_soon(self, entry: bytes) -> None:
        """Acknowledge an entry, together with the others that are finished in this turn.

        While few are under way, acknowledge it at once: then it leaves together with its reply.
        """
        self._finished.append(entry)
        if len(self._handling) <= FEW:
            self._acknowledge()
        elif len(self._finished) == 1:
            asyncio.get_running_loop().call_soon(self._acknowledge)

    def _acknowledge(self) -> None:
        finished, self._finished = self._finished, []
        for start in range(0, len(finished), _MAX_ACKNOWLEDGED):
            entries = finished[start : start + _MAX_ACKNOWLEDGED]
            mine = [self._group, self._name, *entries]
            on_reply = partial(self._on_acknowledged, entries)
            self._redis.script_soon(ACKNOWLEDGE, [self.address], mine, on_reply, retry=True)

    def _on_acknowledged(self, entries: list[bytes], answer: Any) -> None:
        for entry in entries:
            self._pending.leave(entry)
        if isinstance(answer, Exception):
            # The entries stay pending, and this consumer reclaims them from itself.
            log.warning("could not acknowledge", reason=str(answer), address=self.address)

    async def _on_expired(self, received: Received, unknown: UnknownVersion) -> None:
        """Give an entry up that has waited in vain for a member that can read its version."""

        async def give_up() -> bool:
            await self._give_up(received, unknown)
            return False

        if self._pending.own(_entry_of(received)):
            await self._settle(received, give_up)


def _entry_of(received: Received) -> bytes:
    assert received.entry is not None
    return received.entry
