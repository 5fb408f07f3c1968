"""Reclaims the entries of a stream that nobody handles: of dead members, of other versions."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from redis.exceptions import RedisError

from services.runtime.capacity import Capacity
from services.runtime.liveness.heartbeat import Heartbeat, alive
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.pending_entries import PARKED, PendingEntries
from services.runtime.messaging.unreadable import UnknownVersion
from services.runtime.redis.client import RedisClient
from services.runtime.redis.scripts import load_script
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

RECLAIM_INTERVAL = 1.0
"""Seconds between two rounds that look for entries to reclaim; the first is at the start."""

_GIVEN_UP_AT_ONCE = 10

_REMOVE_IDLE = load_script(__package__, "remove_idle_consumer")


class Reclaimer:
    """Claims entries for one member of a group, in a task of its own.

    Passes to `on_claimed` what dead members left and what this member failed to handle; to
    `on_expired` the entries of a version that no member could read for `unknown_version_wait`
    seconds.
    """

    def __init__(
        self,
        redis: RedisClient,
        pending: PendingEntries,
        heartbeat: Heartbeat,
        capacity: Capacity,
        *,
        versions: frozenset[int],
        unknown_version_wait: float,
        on_claimed: Callable[[Received], None],
        on_expired: Callable[[Received, UnknownVersion], Awaitable[None]],
    ) -> None:
        self._redis = redis
        self._pending = pending
        self._heartbeat = heartbeat
        self._capacity = capacity
        self._versions = versions
        self._unknown_version_wait = unknown_version_wait
        self._on_claimed = on_claimed
        self._on_expired = on_expired
        self._missing: set[str] = set()  # members without a heartbeat, when last looked
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """True while the task runs; it goes on while Redis is away."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Look for entries from now on."""
        self._task = asyncio.create_task(self._run(), name=f"reclaim {self._pending.address}")

    async def stop(self) -> None:
        """Claim nothing more."""
        await end(self._task)

    async def leave(self, member: str) -> None:
        """Remove a member from the group, unless it has entries that others may reclaim."""
        try:
            # The shared connection keeps the order, so acknowledgements come first.
            group = [self._pending.group, member]
            await self._redis.script(_REMOVE_IDLE, [self._pending.address], group)
        except (RedisError, OSError) as exc:
            log.debug("could not leave the group", reason=str(exc), address=self._pending.address)

    async def _run(self) -> None:
        address = self._pending.address
        # The first round is early: where workers crash again and again, none may live for a second.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heartbeat.begun.wait(), RECLAIM_INTERVAL)
        while True:
            try:
                await self._reclaim()
            except (RedisError, OSError) as exc:
                log.debug("could not reclaim entries", reason=str(exc), address=address)
            except Exception as exc:
                log.error("reclaiming entries failed", exc_info=exc, address=address)
            await asyncio.sleep(RECLAIM_INTERVAL)

    async def _reclaim(self) -> None:
        """Do one round over all members of the group."""
        address, group = self._pending.address, self._pending.group
        living = await alive(self._redis, address)
        ttl = self._heartbeat.heartbeat_ttl
        missing, self._missing = self._missing, set()
        for consumer in await self._redis.execute("XINFO", "CONSUMERS", address, group):
            name = consumer[b"name"].decode(errors="replace")
            if parked := PARKED.fullmatch(name):
                await self._reclaim_parked(name, int(parked[1]), len(living))
                if not consumer[b"pending"]:
                    await self.leave(name)
            elif name == self._pending.member:
                await self._reclaim_from(name, len(living))
            elif name not in living:
                self._missing.add(name)
                # A heartbeat that is missing once may be the first one of a new worker, which is on
                # its way, or one that ran out because Redis's clock jumped. A worker that has not
                # read either is dead: where workers crash again and again, none looks twice.
                idle = consumer[b"idle"] > 1000 * ttl
                if (idle or name in missing) and self._heartbeat.steady:
                    await self._reclaim_from(name, len(living))
                    if idle:
                        await self.leave(name)

    async def _reclaim_from(self, member: str, living: int) -> None:
        # A fair share even when this worker is full: the entries have waited for a dead worker
        # already.
        def share(number: int) -> int:
            fair = max(1, self._capacity.free, -(-number // max(1, living)))
            return 0 if self._capacity.paused else fair

        for received in await self._pending.claim_from(member, share=share):
            entry = (received.entry or b"").decode()
            log.info("reclaimed", entry=entry, consumer=member, address=received.address)
            self._on_claimed(received)

    async def _reclaim_parked(self, name: str, version: int, living: int) -> None:
        """Claim the entries of a version that this member can read; end those that waited long."""
        if version in self._versions:
            await self._reclaim_from(name, living)
            return
        unknown = UnknownVersion("No worker could read it.", version=version)
        wait = self._unknown_version_wait
        for received in await self._pending.claim_from(name, share=_few, wait=wait):
            await self._on_expired(received, unknown)


def _few(number: int) -> int:
    return min(number, _GIVEN_UP_AT_ONCE)
