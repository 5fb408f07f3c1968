"""Circuit breakers of a source: a server of it that fails is left alone for a while.

Each server (scheme, host and port) has its own, so that a URL which somebody names can't keep a
source from the others. A folder or a bucket counts as one server.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from math import ceil

import structlog

from contracts.errors import ServiceError, SourceUnavailable
from services.gateway.sources.kinds.origin import FailedElsewhere, Unreachable, is_down

log = structlog.get_logger(__name__)

_SERVERS = 256  # of a source whose failures are known


class LeftAlone(SourceUnavailable):
    """The server was not asked, as it has failed too often."""


class Breaker:
    """Counts the failures of one server in a row; `failures` of them open it for `pause` seconds.

    A server that can't be reached fails for every original, so each time counts. One that answers
    with an error, or not in time, may do so for one original alone: each path counts once, whatever
    its query is. After the pause one request is let through as a trial. It closes the breaker,
    unless the server can't be reached; an error in it is the first one of a new count.
    """

    def __init__(
        self, name: str, *, failures: int, pause: float, on_change: Callable[[], None]
    ) -> None:
        """`name` is for people; `on_change` is called when it opens, and when it is closed."""
        self._name = name
        self._limit = failures
        self._pause = pause
        self._unreached = 0
        self._paths: set[int] = set()
        self._until = 0.0
        self._trial = False
        self._on_change = on_change
        self.is_open = False
        """True while the server is not asked, or has not answered a trial request yet."""

    @contextmanager
    def watch(self, path: str) -> Iterator[None]:
        """Run a request. Raises LeftAlone in its place while the breaker is open."""
        left = self._until - time.monotonic()
        if self.is_open and (left > 0 or self._trial):
            raise LeftAlone(
                f"{self._name} has failed {self._failures} times in a row, and is left alone for a"
                " while.",
                retry_after=max(1, ceil(left)),
            )
        trial = self.is_open
        self._trial = self._trial or trial
        try:
            yield
        except ServiceError as exc:
            if not is_down(exc):
                self._close()
            elif not isinstance(exc, FailedElsewhere):
                self._fail(exc, path, trial)
            raise
        else:
            self._close()
        finally:
            if trial:
                self._trial = False

    @property
    def _failures(self) -> int:
        return self._unreached + len(self._paths)

    def _fail(self, exc: ServiceError, path: str, trial: bool) -> None:
        if self.is_open and not trial:
            return  # of a request that was sent before it opened
        if isinstance(exc, Unreachable):
            self._unreached += 1
        else:
            if trial:
                self._close()
            self._paths.add(hash(path))
        if self._failures < self._limit:
            return
        self._until = time.monotonic() + self._pause
        if not self.is_open:
            log.warning("a source is left alone", source=self._name, reason=exc.detail)
            self.is_open = True
            self._on_change()

    def _close(self) -> None:
        self._unreached = 0
        self._paths.clear()
        if self.is_open:
            log.info("a source is asked again", source=self._name)
            self.is_open = False
            self._on_change()


class Breakers:
    """The breakers of a source: one for each of the servers asked last, up to a limit."""

    def __init__(
        self, source: str, *, failures: int, pause: float, on_change: Callable[[bool], None]
    ) -> None:
        """`on_change` hears whether any of them is open."""
        self._source = source
        self._failures = failures
        self._pause = pause
        self._on_change = on_change
        self._breakers: OrderedDict[str, Breaker] = OrderedDict()
        self._tell()

    def __len__(self) -> int:
        return len(self._breakers)

    def watch(self, place: str) -> AbstractContextManager[None]:
        """Run a request for a place of the source, as `Breaker.watch`."""
        server, path = _parts(place)
        breaker = self._breakers.get(server)
        if breaker is None:
            name = f"The source {self._source!r}" + (f" at {server}" if server else "")
            breaker = self._breakers[server] = Breaker(
                name, failures=self._failures, pause=self._pause, on_change=self._tell
            )
            if len(self._breakers) > _SERVERS:
                self._breakers.popitem(last=False)
                self._tell()
        self._breakers.move_to_end(server)
        return breaker.watch(path)

    def _tell(self) -> None:
        self._on_change(any(breaker.is_open for breaker in self._breakers.values()))


def _parts(place: str) -> tuple[str, str]:
    """Return the server of a URL and its path without the query; no server for another place."""
    scheme, mark, rest = place.partition("://")
    if not mark:
        return "", place
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", path.partition("?")[0]
