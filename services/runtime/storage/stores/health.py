"""Health of a store, as its own operations and a check every few seconds have found it."""

import time
from dataclasses import dataclass, replace

import structlog

from contracts.errors import ServiceError, StoreFull

log = structlog.get_logger(__name__)

_FULL_FOR = 10.0
"""Seconds for which a store counts as full after a refused write, unless a write succeeds.

A quota, or a bucket's limit, shows in nothing else than a write.
"""


@dataclass(frozen=True)
class StoreState:
    """The last thing that was found."""

    failure: ServiceError | None = None
    """StoreFull or Unavailable while the store is full or away; None while it works."""
    since: float = 0.0
    """Seconds since 1970 at which the failure began; 0 without one."""
    free: int | None = None
    """Bytes that still fit, at the last check; None if nobody knows."""


class StoreHealth:
    """Keeps a store's state, and logs where a failure begins and ends."""

    def __init__(self, name: str, address: str) -> None:
        self._about = {"store": name, "address": address}
        self._full_until = 0.0
        self.state = StoreState()

    def worked(self, *, wrote: bool) -> None:
        """Note an operation that succeeded."""
        failure = self.state.failure
        if failure is None or (isinstance(failure, StoreFull) and not wrote and self._still_full()):
            return
        self.state = StoreState(free=self.state.free)
        log.info("the store works again", **self._about)

    def failed(self, failure: ServiceError) -> None:
        """Note an operation that failed with StoreFull or Unavailable."""
        if isinstance(failure, StoreFull):
            self._full_until = time.monotonic() + _FULL_FOR
        known = self.state.failure
        if known is not None and known.code is failure.code:
            return
        # A copy: an exception that is kept would keep its traceback, and all that it refers to.
        self.state = StoreState(failure.failure().error(), time.time(), self.state.free)
        log.error("the store fails", code=failure.code, reason=failure.detail, **self._about)

    def checked(self, free: int | None) -> None:
        """Note a check that succeeded, and the bytes that fit."""
        self.state = replace(self.state, free=free)
        if free == 0:
            self.failed(StoreFull("The disk of the store is full.", retry_after=10))
        else:
            self.worked(wrote=False)

    def _still_full(self) -> bool:
        return time.monotonic() < self._full_until
