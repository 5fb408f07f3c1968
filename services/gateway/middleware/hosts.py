"""Refuse requests for host names of others, which protects against DNS rebinding.

An attacker's page can make its own host name resolve to the gateway's address. For the browser,
the gateway then belongs to the page's origin, and the page may read and change everything. Such a
request has the attacker's name in its `Host` field.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.errors import MisdirectedRequest, ServiceError

ANY = "*"

CALLED_HOST = "darkroom.called_host"
"""Key in the scope of the `Host` by which a proxy has called the gateway, beside the client's.

Both have to be accepted: a page whose name resolves to the address of a trusted proxy, such as
loopback, can send `X-Forwarded-Host`, but not another `Host`.
"""

Refuse = Callable[[ServiceError, Scope], ASGIApp]
"""Returns the application that answers a refused request."""

_HEALTH_CHECKS = frozenset({"/health/live", "/health/ready"})
"""Load balancers name any host, or none; the answers are about the process alone."""

_HOST = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}?)\.?)(?::[0-9]{0,5})?")
_MOST_BYTES = 300
_CACHED = 256


class HostMiddleware:
    """Passes requests whose host is one of `names`, a loopback name, or the server's own address.

    A name `*.example.com` stands for every name below example.com, and `*` for every name. If
    `names` is None, a connection to a loopback address accepts no further name, and a connection
    to any other address accepts every name.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str] | None, *, refuse: Refuse) -> None:
        self._app = app
        self._refuse = refuse
        self._names = None if names is None else frozenset(names)
        self._suffixes = tuple(name[1:] for name in names or () if name.startswith("*."))
        self._accepts = lru_cache(_CACHED)(self._is_accepted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if not (self.accepts(scope) or _is_health_check(scope)):
            error = MisdirectedRequest(
                "This gateway does not answer to the host name of the request. Its operator lists "
                "names in DARKROOM_HOSTS."
            )
            app = self._refuse(error, scope)
        await app(scope, receive, send)

    def accepts(self, scope: Scope) -> bool:
        """Return whether a request names this gateway as its host."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return False
        server = scope["server"][0] if scope.get("server") else ""
        if CALLED_HOST in scope and not self._accepts_host(scope[CALLED_HOST], server):
            return False
        return self._accepts_host(hosts[0], server)

    def _accepts_host(self, host: bytes, server: str) -> bool:
        return len(host) <= _MOST_BYTES and self._accepts(host, server)

    def _is_accepted(self, host: bytes, server: str) -> bool:
        """Return whether a `Host` field is accepted over a connection to the address `server`."""
        match = _HOST.fullmatch(host.decode("latin-1").lower())
        if match is None:
            return False
        name = match[1] or match[2]
        address, own = address_of(name), address_of(server)
        if _is_loopback(name, address) or (address is not None and address == own):
            return True
        if self._names is None:
            return own is None or not own.is_loopback
        return bool(
            ANY in self._names
            or (name if address is None else str(address)) in self._names
            or (self._suffixes and name.endswith(self._suffixes))
        )


def _is_health_check(scope: Scope) -> bool:
    return scope["path"] in _HEALTH_CHECKS


def _is_loopback(name: str, address: IPv4Address | IPv6Address | None) -> bool:
    if address is not None:
        return address.is_loopback
    return name == "localhost" or name.endswith(".localhost")  # RFC 6761, section 6.3


def address_of(name: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a text is; None for a name. An IPv4-mapped address is an IPv4 one."""
    try:
        address = ip_address(name)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
