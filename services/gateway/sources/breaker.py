"""Circuit breaker of a source, which is left alone for a while after some failures in a row."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

import structlog

from contracts.errors import ServiceError, SourceUnavailable
from services.gateway.sources.kinds.origin import is_down

log = structlog.get_logger(__name__)


class LeftAlone(SourceUnavailable):
    """The source was not asked, as it has failed too often."""


class Breaker:
    """Counts the failures of one source in a row; `failures` of them open it for `pause` seconds.

    After the pause one request is let through as a trial: its success closes the breaker, and its
    failure opens it again.
    """

    def __init__(
        self, source: str, *, failures: int, pause: float, on_change: Callable[[bool], None]
    ) -> None:
        """`on_change` is called with True when it opens, and with False when it is closed."""
        self._source = source
        self._limit = failures
        self._pause = pause
        self._failures = 0
        self._until = 0.0
        self._trial = False
        self._on_change = on_change
        on_change(False)

    @property
    def is_open(self) -> bool:
        """Whether the source is left alone now, or has not answered a trial yet."""
        return self._failures >= self._limit

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Run a request. Raises LeftAlone in its place while the breaker is open."""
        left = self._until - time.monotonic()
        if self.is_open and (left > 0 or self._trial):
            raise LeftAlone(
                f"The source {self._source!r} has failed {self._failures} times in a row, and is"
                " left alone for a while.",
                retry_after=max(1, ceil(left)),
            )
        self._trial = self.is_open
        try:
            yield
        except ServiceError as exc:
            if is_down(exc):
                self._fail(exc)
            else:
                self._succeed()
            raise
        else:
            self._succeed()
        finally:
            self._trial = False

    def _fail(self, exc: ServiceError) -> None:
        self._failures += 1
        if self.is_open:
            self._until = time.monotonic() + self._pause
        if self._failures == self._limit:
            log.warning("a source is left alone", source=self._source, reason=exc.detail)
            self._on_change(True)

    def _succeed(self) -> None:
        if self.is_open:
            log.info("a source works again", source=self._source)
            self._on_change(False)
        self._failures = 0
