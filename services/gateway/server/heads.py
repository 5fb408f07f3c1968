"""The heads of requests that came several times, which are not parsed again.

A head is the request line and the header fields. Clients of one kind ask for the same picture by
the same bytes. What a request means follows from these bytes and from the connection's `Arrival`.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from starlette.types import Scope

from services.gateway.server.at_once import Again

_END = b"\r\n\r\n"
_MAX_HEAD = 2048  # bytes
_MAX_FIELDS = 32  # of a header: each takes a hundred bytes beside its own
_MOST_KNOWN = 1024  # heads
_MOST_SEEN = 8192


class Arrival(NamedTuple):
    """Facts of a connection that the meaning of a head depends on."""

    trusted: bool
    """True if it comes from a trusted proxy, whose word on its client counts."""
    server: tuple[str, int | None] | None
    """The address at which it has arrived."""
    scheme: str | None


class KnownHeads:
    """Heads of requests that were answered at once, and what answers them again.

    `remember` makes what answers a head again, from the scope of a request that had it. A head is
    remembered when it is noted for the second time: remembering all of them would take a fifth of
    the time of those that never come again.
    """

    def __init__(self, remember: Callable[[Scope], Again | None]) -> None:
        self._remember = remember
        self._known: OrderedDict[tuple[bytes, Arrival | None], Again] = OrderedDict()
        self._seen: set[int] = set()  # hashes of heads that were noted

    def find(self, data: bytes, arrival: Arrival | None) -> Again | None:
        """Return what answers a request whose head these bytes are, if they are a known one."""
        return self._known.get((data, arrival)) if len(data) <= _MAX_HEAD else None

    def note(self, data: bytes, arrival: Arrival | None, scope: Scope) -> None:
        """Note the bytes of a request that was answered at once."""
        # These bytes have to be one head, from its start to its end.
        if len(data) > _MAX_HEAD or data.find(_END) != len(data) - len(_END):
            return
        if len(scope["headers"]) > _MAX_FIELDS:
            return
        head = (data, arrival)
        number = hash(head)
        if number not in self._seen:
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen.add(number)
            return
        again = self._remember(scope)
        if again is not None:
            self._known[head] = again
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
