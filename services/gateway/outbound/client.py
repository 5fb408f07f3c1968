"""HTTP to URLs that clients name: check the URL first, then every address it resolves to.

`refuse_unsafe_url` needs no network, so a request is refused before anything is stored. The client
of `make_client` resolves and checks the host again for every request that it sends.
"""

import logging
from collections.abc import Container, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv6Network

import httpx

from contracts.errors import InvalidRequest
from services.gateway.outbound.addresses import is_public, literal_address
from services.gateway.outbound.network import PublicNetworkBackend
from services.gateway.outbound.transport import HttpcoreTransport

_DEFAULT_PORTS = {"http": 80, "https": 443}


def refuse_unsafe_url(url: str, *, ports: Container[int], allow_private: bool = False) -> None:
    """Raise InvalidRequest for a URL that is unsafe by its text alone, or has none of the `ports`.

    The detail says how to write the URL instead. A host that is a DNS name is checked later, when
    the client connects.
    """
    try:
        parsed = httpx.URL(url)
        host = parsed.host
    except (httpx.InvalidURL, UnicodeError) as exc:  # the latter: of a host that is no IDN
        raise InvalidRequest("The URL is malformed; write it as https://host/path.") from exc
    if parsed.scheme not in ("http", "https") or not host:
        raise InvalidRequest("The URL needs a host and http or https: https://host/path.")
    if parsed.userinfo:
        raise InvalidRequest("Leave name and password out of the URL.")
    port = _DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port
    if port not in ports:
        raise InvalidRequest(f"Port {port} is not among the ports that receivers may have.")
    address = literal_address(host)
    if address is not None and not allow_private and not is_public(address):
        raise InvalidRequest("Use a host that is reachable from the internet; this address is not.")


def make_client(
    *,
    timeout: float,
    allow_private: bool = False,
    nat64: Sequence[IPv6Network] = (),
    connections: int | None = None,
) -> httpx.AsyncClient:
    """Return a client that connects to public addresses only, unless `allow_private`.

    `nat64` as in `is_public`. With `connections`, so many are open at once, and they are used again
    for some seconds; without it, each request has a new one. It follows no redirects, keeps no
    cookies and ignores proxies in the environment. `timeout`, in seconds, limits each wait (to
    connect, for a chunk), not the whole request. A request raises InvalidRequest for a host with an
    address that is not public, and httpx's own exceptions.
    """
    # HTTPX logs whole URLs at INFO, and a receiver's URL may contain a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    backend = PublicNetworkBackend(allow_private=allow_private, nat64=nat64)
    return httpx.AsyncClient(
        transport=HttpcoreTransport(backend, connections=connections),
        trust_env=False,
        timeout=timeout,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": "Darkroom"},
    )
