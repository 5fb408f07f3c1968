"""The network backend of outbound requests: resolves hosts itself, connects to public addresses.

The check and the connection use the same resolved address. A DNS name that changes its address
between the two (DNS rebinding) gains nothing.
"""

import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Network

import anyio
import httpcore
from anyio import to_thread

from contracts.errors import InvalidRequest
from services.gateway.outbound.addresses import is_public

# Threads that resolve names: a slow DNS server can't use up the process's other threads.
_RESOLVER_THREADS = 16


class HostUnknown(httpcore.ConnectError):
    """The name of a host has no address."""


class PublicNetworkBackend(httpcore.AsyncNetworkBackend):
    """Connects by TCP to hosts all of whose addresses are public; refuses every other connection.

    Composed of an `AnyIOBackend` and not derived from it: a way to connect that this class does
    not define raises NotImplementedError instead of connecting without a check.
    """

    def __init__(self, *, allow_private: bool, nat64: Sequence[IPv6Network] = ()) -> None:
        """`nat64` as in `is_public`."""
        self._allow_private = allow_private
        self._nat64 = nat64
        self._backend = httpcore.AnyIOBackend()
        self._limiter = anyio.CapacityLimiter(_RESOLVER_THREADS)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that accepts, within `timeout` seconds in all.

        Each address gets an equal share of the time that is left. Raises InvalidRequest when any
        address is not public, httpcore.ConnectError and httpcore.ConnectTimeout.
        """
        end = anyio.current_time() + (float("inf") if timeout is None else timeout)
        addresses = await self._resolve(host, port, timeout)
        if not (self._allow_private or all(is_public(one, self._nat64) for one in addresses)):
            raise InvalidRequest("The URL's host is not reachable from the internet.")
        failure: Exception = httpcore.ConnectError("the host has no address")
        for turn, address in enumerate(addresses):
            share = (end - anyio.current_time()) / (len(addresses) - turn)
            try:
                return await self._backend.connect_tcp(
                    address, port, max(0.0, share), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait; the connection pool calls this between retries."""
        await self._backend.sleep(seconds)

    async def _resolve(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Return the host's addresses, without repeats, in the resolver's order."""
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
            raise HostUnknown(f"the host was not resolved: {exc}") from exc
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
