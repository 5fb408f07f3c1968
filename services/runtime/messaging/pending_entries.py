"""Entries of a stream that were given to a member of a group and are not finished."""

from collections import Counter
from collections.abc import Callable

from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Command
from services.runtime.redis.stream_entries import Fields, entries_from

_MAX_READ = 1000  # pending entries that one claim looks at
_MAX_DELAY = 60.0  # seconds before an entry that failed here is delivered again
_MAX_INTERRUPTIONS = 20  # by outages; an error that only looks like an outage counts after them


class PendingEntries:
    """What one member may claim: entries of dead members, and its own ones that have failed.

    Redis counts the deliveries of an entry. A delivery that an outage of Redis ended does not
    count. Claiming resets the time that an entry has waited, so only one member gets it.
    """

    def __init__(
        self, redis: RedisClient, address: str, group: str, member: str, *, wait: float
    ) -> None:
        self._redis = redis
        self._address = address
        self._group = group
        self._member = member
        self._wait = wait
        self._owned: set[bytes] = set()
        self._interruptions = Counter[bytes]()  # by entries whose last delivery an outage ended

    def own(self, entry: bytes) -> bool:
        """Note that this member handles an entry; return False if it does so already."""
        if entry in self._owned:
            return False
        self._owned.add(entry)
        return True

    def leave(self, entry: bytes) -> None:
        """Note that this member does not handle an entry any more: it has failed, or is gone."""
        self._owned.discard(entry)

    def note_end(self, entry: bytes, *, interrupted: bool) -> None:
        """Note how a delivery ended: by an outage of Redis, or otherwise."""
        if interrupted:
            self._interruptions[entry] += 1
        else:
            self._interruptions.pop(entry, None)

    async def claim_from(
        self, member: str, *, share: Callable[[int], int]
    ) -> list[tuple[bytes, Fields, int]]:
        """Claim entries that `member` left, `share(their number)` at most.

        Return each with its fields and the number of its delivery. An entry that failed here waits
        twice as long after each delivery.
        """
        idle = int(1000 * self._wait)
        pending: Command = ("XPENDING", self._address, self._group, "IDLE", idle)
        left = await self._redis.execute(*pending, "-", "+", _MAX_READ, member)
        due = [
            (entry, self._next_delivery(entry, deliveries))
            for entry, _, waited, deliveries in left
            if entry not in self._owned
            and (member != self._member or waited >= 1000 * self._delay(entry, deliveries))
        ]
        due = due[: share(len(due))]
        claim: Command = ("XCLAIM", self._address, self._group, self._member, idle)
        claims = [(*claim, entry, "RETRYCOUNT", delivery) for entry, delivery in due]
        claimed = await self._redis.pipeline(claims)
        return [
            (entry, fields, delivery)
            for (_, delivery), reply in zip(due, claimed, strict=True)
            for entry, fields in entries_from(reply)
        ]

    def _delay(self, entry: bytes, deliveries: int) -> float:
        failures = 1 if entry in self._interruptions else deliveries
        return min(_MAX_DELAY, self._wait * 2.0 ** min(failures - 1, 10))

    def _next_delivery(self, entry: bytes, deliveries: int) -> int:
        interrupted = 0 < self._interruptions[entry] <= _MAX_INTERRUPTIONS
        return deliveries if interrupted else deliveries + 1
