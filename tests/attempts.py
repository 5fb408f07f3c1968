"""Attempts at a claim about time, of which one has to succeed."""

from collections.abc import Iterator
from typing import Self


class Attempt:
    """A context that drops exceptions of some types, unless it is the last one."""

    def __init__(self, *dropped: type[Exception]) -> None:
        self.succeeded = False
        self._dropped = dropped

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, exc: BaseException | None, traceback: object) -> bool:
        self.succeeded = exc is None
        return isinstance(exc, self._dropped)


def attempts(*spoiled: type[Exception]) -> Iterator[Attempt]:
    """Yield up to three contexts, for a `for` loop, until one succeeds.

    The first two drop failed assertions, timeouts and exceptions of the types `spoiled`. A busy
    machine may leave any process without a processor for a second, at any line. That spoils one
    attempt; a fault of the product spoils all. So only what depends on time belongs inside.
    """
    dropped: list[type[Exception]] = [AssertionError, TimeoutError, *spoiled]
    for attempt in (Attempt(*dropped), Attempt(*dropped), Attempt()):
        yield attempt
        if attempt.succeeded:
            return
