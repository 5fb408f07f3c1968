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
        self._follow = lru_cache(_CACHED)(self._followed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix = self.take(scope)
        if prefix:
            send = sending_prefixed(prefix, send)
        await self._app(scope, receive, send)

    def take(self, scope: Scope) -> str:
        """Write into `scope` what trusted proxies say of the request; return its prefix."""
        prefix = self._root_path or scope.get("root_path", "")
        peer: str | None = scope["client"][0] if scope.get("client") else None
        if self._proxies.trusts(peer) and (forwarded := _forwarded(scope)):
            client, hops = self._follow(forwarded.get(_FOR, b""))
            if client:
                scope["client"] = (client, 0)
            if _PROTO in forwarded:
                _take_scheme(_said(forwarded[_PROTO], hops), scope)
            if _HOST in forwarded:
                _take_host(_said(forwarded[_HOST], hops), scope)
            if _PREFIX in forwarded:
                prefix = _prefix_in(forwarded[_PREFIX], hops) or prefix
        if prefix:
            take_prefix(scope, prefix)
        return prefix

    def _followed(self, chain: bytes) -> tuple[str, int]:
        """Return the client that a chain of addresses names, and the number of trusted proxies.

        Each proxy appends the address that it sees. The last address that no trusted proxy has is
        the client: everything before it is the client's own claim. Empty if no address is last.
        """
        client, hops = "", 1
        for element in reversed(_elements(chain)):
            address = _without_port(element)
            if address_of(address) is None:
                break
            client = address
            if not self._proxies.trusts(address):
                break
            hops += 1
        return client, hops


def _forwarded(scope: Scope) -> dict[bytes, bytes]:
    """Return the forwarded fields of a request, each with its lines joined."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _FIELDS:
            found[name] = b"%b,%b" % (found[name], value) if name in found else value
    return found


def _elements(field: bytes) -> list[str]:
    return [element.strip() for element in field.decode("latin-1").split(",")]


def _said(field: bytes, hops: int) -> str:
    """Return the element of a field by the outermost trusted proxy.

    A proxy that replaces the field, in place of adding to it, speaks for those before it.
    """
    return _elements(field)[-hops:][0]


def _prefix_in(field: bytes, hops: int) -> str:
    """Return the parts of a path that trusted proxies have removed; empty if one is no path."""
    parts = [part.rstrip("/") for part in _elements(field)[-hops:]]
    return "".join(parts) if all(map(PREFIX.fullmatch, parts)) else ""


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
