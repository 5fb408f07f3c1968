"""Entries of a stream that were given to a member of a group and are not finished."""

import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from services.runtime.messaging.consumer import Received
from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Command
from services.runtime.redis.scripts import load_script
from services.runtime.redis.stream_entries import entries_from

_CLAIM = load_script(__package__, "claim")

_MAX_READ = 1000  # pending entries that one claim looks at
_MAX_DELAY = 60.0  # seconds before an entry that failed here is delivered again
_MAX_INTERRUPTIONS = 20  # by outages; an error that only looks like an outage counts after them


PARKED = re.compile(r"version-([0-9]{1,6})")
"""Name of the member, which never reads, that has the entries of a version."""


class PendingEntries:
    """Entries that one member may claim: those of dead members, and its own that have failed.

    A member that can't read the version of an entry parks it with a member whose name is the
    version; those that can read the version claim it there.

    Redis counts the deliveries of an entry. A delivery that an outage of Redis ended does not
    count. Waits are measured by this process's own clock, which never jumps.
    """

    def __init__(
        self, redis: RedisClient, address: str, group: str, member: str, *, wait: float
    ) -> None:
        self._redis = redis
        self.address = address
        self.group = group
        self.member = member
        self._wait = wait
        self._owned: set[bytes] = set()
        self._left_at: dict[bytes, float] = {}  # the moment at which an own entry was left pending
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
        self._left_at[entry] = time.monotonic()

    def note_end(self, entry: bytes, *, interrupted: bool) -> None:
        """Note how a delivery ended: by an outage of Redis, or otherwise."""
        if interrupted:
            self._interruptions[entry] += 1
        else:
            self._interruptions.pop(entry, None)

    async def park(self, entry: bytes, version: int) -> None:
        """Leave an entry to the members that can read this version."""
        claim: Command = ("XCLAIM", self.address, self.group, f"version-{version}", 0, entry)
        await self._redis.execute(*claim, "JUSTID")

    async def claim_from(
        self, member: str, *, share: Callable[[int], int], wait: float = 0
    ) -> list[Received]:
        """Claim entries that `member` has had for `wait` seconds, `share(their number)` at most.

        An entry that failed here waits twice as long after each delivery.
        """
        pending: Command = ("XPENDING", self.address, self.group, "IDLE", int(1000 * wait))
        found = await self._redis.execute(*pending, "-", "+", _MAX_READ, member)
        left = {entry: deliveries for entry, _, _, deliveries in found}
        if member == self.member:
            now = time.monotonic()
            self._left_at = {entry: self._left_at.get(entry, now) for entry in left}
            left = {
                entry: deliveries
                for entry, deliveries in left.items()
                if self._due(entry, deliveries)
            }
        due = [entry for entry in left if entry not in self._owned]
        due = due[: share(len(due))]
        if not due:
            return []
        args: list[Any] = [self.group, self.member, member]
        for entry in due:
            args += (entry, self._next_delivery(entry, left[entry]))
        claimed = await self._redis.script(_CLAIM, [self.address], args)
        numbers = {entry: delivery for entry, _, delivery in claimed}
        found = entries_from([[entry, fields] for entry, fields, _ in claimed])
        return [Received(self.address, fields, entry, numbers[entry]) for entry, fields in found]

    def _due(self, entry: bytes, deliveries: int) -> bool:
        failures = 1 if entry in self._interruptions else deliveries
        delay = min(_MAX_DELAY, self._wait * 2.0 ** min(failures - 1, 10))
        return time.monotonic() - self._left_at[entry] >= delay

    def _next_delivery(self, entry: bytes, deliveries: int) -> int:
        interrupted = 0 < self._interruptions[entry] <= _MAX_INTERRUPTIONS
        return deliveries if interrupted else deliveries + 1
