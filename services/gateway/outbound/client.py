"""HTTP to URLs that clients name: only to public addresses, unless private ones are allowed.

A host is resolved here, every address that it has is judged, and the connection goes to one of
those, so that a name can't mean another address a moment later. TLS verifies the name as ever.
"""

import logging
import socket
from collections.abc import Iterable
from http.cookiejar import CookieJar, DefaultCookiePolicy

import anyio
import httpcore
import httpx
from anyio import to_thread

from contracts.errors import InvalidRequest
from services.gateway.outbound.addresses import is_public, literal

_PORTS = frozenset({None, 80, 443, *range(1024, 65536)})  # None: the scheme's own
# A name that is slow to resolve holds one of these, and nobody else's threads.
_RESOLVERS = 16


def refuse_unsafe(url: str, *, allow_private: bool = False) -> None:
    """Raise InvalidRequest for a URL that needs no look at the network to be refused.

    What a name resolves to is judged when it is connected to, each time.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise InvalidRequest("This is no URL: write it as https://host/path.") from exc
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidRequest("The URL needs a host and http or https: https://host/path.")
    if parsed.userinfo:
        raise InvalidRequest("Leave name and password out of the URL.")
    if parsed.port not in _PORTS:
        raise InvalidRequest("Use port 80, 443, or one from 1024 to 65535.")
    address = literal(parsed.host)
    if address is not None and not allow_private and not is_public(address):
        raise InvalidRequest("Use a host that is reachable from the internet; this address is not.")


def make_client(*, timeout: float, allow_private: bool = False) -> httpx.AsyncClient:
    """A client that follows no redirects, keeps no cookies and asks no proxy of the environment.

    A host that isn't public is InvalidRequest. `timeout` is for each wait, not for the whole.
    """
    # It logs whole URLs, and those may hold a secret of the receiver's.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.AsyncClient(
        transport=_Transport(_JudgingBackend(allow_private)),
        trust_env=False,
        timeout=timeout,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": "Darkroom"},
    )


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own, on a backend of ours, which it has no argument for."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        context = httpx.create_ssl_context()
        super().__init__(verify=context)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            network_backend=backend,
            max_connections=None,
            max_keepalive_connections=0,  # each request is judged anew
        )


class _JudgingBackend(httpcore.AnyIOBackend):
    """Connects to addresses that it has judged itself."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._limiter = anyio.CapacityLimiter(_RESOLVERS)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to one of the host's addresses; each gets its share of the timeout."""
        end = anyio.current_time() + (float("inf") if timeout is None else timeout)
        addresses = await self._resolve(host, port, timeout)
        if not (self._allow_private or all(map(is_public, addresses))):
            raise InvalidRequest("The URL's host is not reachable from the internet.")
        failure: Exception = httpcore.ConnectError("the host has no address")
        for turn, address in enumerate(addresses):
            share = (end - anyio.current_time()) / (len(addresses) - turn)
            try:
                return await super().connect_tcp(
                    address, port, max(0.0, share), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
        raise failure

    async def _resolve(self, host: str, port: int, timeout: float | None) -> list[str]:
        try:
            with anyio.fail_after(timeout):
                found = await to_thread.run_sync(
                    lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
                    abandon_on_cancel=True,
                    limiter=self._limiter,
                )
        except TimeoutError as exc:
            raise httpcore.ConnectTimeout("the host was not resolved in time") from exc
        except (OSError, UnicodeError) as exc:
            raise httpcore.ConnectError(f"the host was not resolved: {exc}") from exc
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
