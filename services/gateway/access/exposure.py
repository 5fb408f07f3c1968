"""The refusal to be open to other hosts unless the operator has said so.

On loopback, every client is on the gateway's host, so it is open without a setting. A gateway
that listens elsewhere needs `DARKROOM_ACCESS`: without it, the gateway does not start, and where
the address is only known with a connection, it refuses that connection.
"""

from functools import lru_cache

import structlog
from starlette.types import Scope

from services.gateway.middleware.hosts import address_of

log = structlog.get_logger(__name__)

ADVICE = (
    "Other hosts can reach this gateway, and DARKROOM_ACCESS is not set: set it to `keys`, or to"
    " `open` if everybody who reaches the gateway may do everything."
)


class Exposure:
    """Watches the addresses at which requests arrive, if access is open without a word."""

    def __init__(self, *, watched: bool) -> None:
        self._watched = watched
        self.failure = ""
        """Reason why the gateway is not ready; empty while no request has come from outside."""

    def refuses(self, scope: Scope) -> bool:
        """Return whether a request has arrived at an address that other hosts reach."""
        if not self._watched:
            return False
        server = scope.get("server")
        # A Unix socket has a path, and no port.
        if server is None or server[1] is None or is_loopback(server[0]):
            return False
        if not self.failure:
            log.error("access is not set", address=server[0], advice=ADVICE)
        self.failure = ADVICE
        return True


@lru_cache(64)
def is_loopback(host: str) -> bool:
    """Return whether only this host reaches an address or a name to listen at."""
    address = address_of(host)
    if address is not None:
        return address.is_loopback
    return host == "localhost"
