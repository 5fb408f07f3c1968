"""Time after which a refused caller should try again."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice

_LONGEST = 60  # seconds


class UnderWay:
    """The calls that are under way, in the order in which they began."""

    def __init__(self) -> None:
        self._begun: dict[object, float] = {}

    def __len__(self) -> int:
        return len(self._begun)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one call."""
        call = object()
        self._begun[call] = time.monotonic()
        try:
            yield
        finally:
            del self._begun[call]

    @property
    def retry_after(self) -> int:
        """Return the seconds after which a call that is refused now should be tried again."""
        return retry_after(self._begun.values())

    @property
    def longest(self) -> float:
        """Return the seconds for which the first call has been under way; 0 without one."""
        now = time.monotonic()
        return now - next(iter(self._begun.values()), now)


def retry_after(begun: Collection[float]) -> int:
    """Return whole seconds, 1 to 60: the time for which the middle call has been under way.

    `begun` are the moments at which the calls under way began, on the monotonic clock, the first
    one first. Calls that wait for each other take about twice as long as the middle one has taken.
    """
    middle = next(islice(begun, len(begun) // 2, None), None)
    return 1 if middle is None else whole_seconds(time.monotonic() - middle)


def whole_seconds(wait: float) -> int:
    """Return the value of `Retry-After` for a wait in seconds: 1 to 60."""
    return min(_LONGEST, max(1, int(wait)))
