"""Take the client's address, scheme, host and path prefix from the proxies that are trusted.

Any client can send these fields, so they count only from the addresses of `DARKROOM_PROXIES`.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.middleware.hosts import ANY, CALLED_HOST, address_of
from services.gateway.middleware.prefix import sending_prefixed, take_prefix
from services.gateway.site_lists import PREFIX, UNIX

_FOR, _PROTO = b"x-forwarded-for", b"x-forwarded-proto"
_HOST, _PREFIX = b"x-forwarded-host", b"x-forwarded-prefix"
_FIELDS = frozenset({_FOR, _PROTO, _HOST, _PREFIX})
_SCHEMES = {"http": "ws", "https": "wss"}
_CACHED = 4096

Forwarded = dict[bytes, list[str]]
"""The elements of each field, those of all its lines in order."""


class TrustedProxies:
    """The addresses and networks of proxies; `unix` is every Unix socket, and `*` everybody."""

    def __init__(self, names: Sequence[str]) -> None:
        self._everybody = ANY in names
        self._unix = UNIX in names
        self._networks = [ip_network(name) for name in names if name not in (ANY, UNIX)]
        self.trusts = lru_cache(_CACHED)(self._trusts)

    def _trusts(self, address: str | None) -> bool:
        """Return whether a connection from an address is a proxy's; None is a Unix socket."""
        if self._everybody:
            return True
        if address is None:
            return self._unix
        parsed = address_of(address)
        return parsed is not None and any(parsed in network for network in self._networks)


class ProxyMiddleware:
    """Puts what trusted proxies say of a request in the place of what its connection says.

    `root_path` is the prefix of requests without `X-Forwarded-Prefix`.
    """

    def __init__(self, app: ASGIApp, proxies: TrustedProxies, root_path: str) -> None:
        self._app = app
        self._proxies = proxies
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix = self._root_path or scope.get("root_path", "")
        peer: str | None = scope["client"][0] if scope.get("client") else None
        if self._proxies.trusts(peer) and (forwarded := _forwarded(scope)):
            hops = self._follow(forwarded.get(_FOR, []), scope)
            _take_scheme(_said(forwarded, _PROTO, hops), scope)
            _take_host(_said(forwarded, _HOST, hops), scope)
            # Each proxy names the part that it has removed.
            parts = [part.rstrip("/") for part in forwarded.get(_PREFIX, [])[-hops:]]
            if parts and all(map(PREFIX.fullmatch, parts)):
                prefix = "".join(parts)
        if prefix:
            take_prefix(scope, prefix)
            send = sending_prefixed(prefix, send)
        await self._app(scope, receive, send)

    def _follow(self, chain: Sequence[str], scope: Scope) -> int:
        """Set the client of a request; return the number of trusted proxies that it came through.

        Each proxy appends the address that it sees. The last address that no trusted proxy has is
        the client: everything before it is the client's own claim.
        """
        hops = 1
        for element in reversed(chain):
            address = _without_port(element)
            if address_of(address) is None:
                break
            scope["client"] = (address, 0)
            if not self._proxies.trusts(address):
                break
            hops += 1
        return hops


def _forwarded(scope: Scope) -> Forwarded:
    found: Forwarded = {}
    for name, value in scope["headers"]:
        if name in _FIELDS:
            elements = value.decode("latin-1").split(",")
            found.setdefault(name, []).extend(element.strip() for element in elements)
    return found


def _said(forwarded: Forwarded, field: bytes, hops: int) -> str:
    """Return the element by the outermost trusted proxy; empty if none has sent the field.

    A proxy that replaces the field, in place of adding to it, speaks for those before it.
    """
    return (forwarded.get(field, [])[-hops:] or [""])[0]


def _take_scheme(scheme: str, scope: Scope) -> None:
    scheme = scheme.lower().replace("ws", "http", 1)
    if scheme in _SCHEMES:
        scope["scheme"] = _SCHEMES[scheme] if scope["type"] == "websocket" else scheme


def _take_host(host: str, scope: Scope) -> None:
    """Replace the `Host` of a request, and note the one that it had."""
    if host:
        own = [value for name, value in scope["headers"] if name == b"host"]
        scope[CALLED_HOST] = own[0] if own else b""
        others = [field for field in scope["headers"] if field[0] != b"host"]
        scope["headers"] = [(b"host", host.encode("latin-1")), *others]


def _without_port(element: str) -> str:
    """Return the address in an element of `X-Forwarded-For`: `[2001:db8::1]:4711`, `192.0.2.1`."""
    element = element.strip('"')
    if element.startswith("["):
        return element[1:].partition("]")[0]
    return element.partition(":")[0] if element.count(":") == 1 else element
