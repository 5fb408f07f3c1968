"""The connections of a gateway: how many may be open, and how long each may wait for a header."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Protocol

from services.gateway.server.at_once import AtOnce
from services.gateway.server.heads import KnownHeads
from services.gateway.server.refusals import ADDRESS, CONNECTIONS, Refusal
from services.gateway.server.whole_answers import lines_of
from services.gateway.settings import GatewaySettings
from services.gateway.shutdown import Shutdown
from services.runtime.telemetry.metrics import Metrics

CLOSING = 2.0
"""Seconds that a refused client gets to read the answer and to close the connection."""

_MAX_CLOSING = 100  # refused connections that wait for their client at once


class Connection(Protocol):
    """A connection as `Connections` sees it: one of uvicorn's protocols for HTTP."""

    @property
    def address(self) -> str | None:
        """The client's address; None for a connection by a Unix socket."""

    def expire(self) -> None:
        """End the connection: its header took too long, or another one needs its place."""

    def close_if_idle(self) -> None:
        """End the connection if it has had an answer, and nothing of a next request since."""

    def abort(self) -> None:
        """End the connection at once, with what was not sent."""


class Connections:
    """Decides which connections stay open, and closes those that wait too long.

    A connection waits from its start, or from the end of a response, until a whole header has
    arrived. When all places are taken, a new connection takes the place of the one that has waited
    longest: a client that sends its request at once never waits long.

    One that has had an answer ends `keep_alive` seconds later, if nothing of a next request comes.

    Once the process is asked to stop, no connection waits for more than `CLOSING` seconds: uvicorn
    closes those that it finds idle, and misses one that is accepted in the same moment.

    An exempt address, that of a trusted proxy, has no limit of its own. One timer looks at all
    connections: requests pay for no timer.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        metrics: Metrics,
        *,
        is_exempt: Callable[[str | None], bool],
        at_once: AtOnce,
        keep_alive: float,
        shutdown: Shutdown,
    ) -> None:
        self._keep_alive = keep_alive
        self.shutdown = shutdown
        self.settings = settings
        self.at_once = at_once
        self.heads = KnownHeads(at_once.remember)
        self.trusts = is_exempt
        self._refused = metrics.refused_connections
        self.waiting: dict[Connection, float] = {}
        """Start of each connection's wait for a header, the longest wait first.

        The connections themselves begin and end their waits.
        """
        self._closing: dict[Connection, float] = {}  # likewise
        self._numbers: Counter[str] = Counter()  # of connections, by network
        self._networks: dict[Connection, str] = {}
        self._websockets: dict[asyncio.BaseTransport, str] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._server_fields: list[tuple[bytes, bytes]] = []
        self._server_lines = b""

    def admit(self, connection: Connection, everyone: Collection[object]) -> Refusal | None:
        """Let a new connection wait for its header; return the reason if it is refused.

        `everyone` has all connections of the process: WebSockets and the new connection, too.
        """
        if self._timer is None:
            self._sweep()
        address = connection.address
        if address is not None and not self.trusts(address):
            network = network_of(address)
            if self._numbers[network] >= self.settings.max_connections_per_address:
                return ADDRESS
            self._numbers[network] += 1
            self._networks[connection] = network
        if len(everyone) - len(self._closing) > self.settings.max_connections:
            if not self.waiting:
                return CONNECTIONS
            next(iter(self.waiting)).expire()
        self.waiting[connection] = asyncio.get_running_loop().time()
        return None

    def refuse(self, connection: Connection, refusal: Refusal) -> None:
        """Count a refusal; the connection no longer counts, nor waits for a header."""
        self.forget(connection)
        self._refused.labels(refusal.reason).inc()

    def close_soon(self, connection: Connection) -> None:
        """End a refused connection after `CLOSING` seconds, or at once if too many are refused."""
        if len(self._closing) >= _MAX_CLOSING:
            connection.abort()
        else:
            self._closing[connection] = asyncio.get_running_loop().time()

    def server_lines(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        """Return the header fields that uvicorn adds to every answer as lines.

        uvicorn makes a new list of them each second.
        """
        if fields is not self._server_fields:
            self._server_fields, self._server_lines = fields, lines_of(fields)
        return self._server_lines

    def forget(self, connection: Connection) -> None:
        """Note that a connection is closed."""
        self.waiting.pop(connection, None)
        self._closing.pop(connection, None)
        network = self._networks.pop(connection, None)
        if network is not None:
            self._uncount(network)

    def upgrade(self, connection: Connection, transport: asyncio.BaseTransport) -> None:
        """Count a connection as a WebSocket, until its transport closes."""
        network = self._networks.pop(connection, None)
        if network is not None:
            self._websockets[transport] = network

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        patience, keep_alive = self.settings.header_timeout, self._keep_alive
        self._timer = loop.call_later(min(1.0, patience / 4), self._sweep)
        if self.shutdown.began:
            patience, keep_alive = min(patience, CLOSING), min(keep_alive, CLOSING)
        for connection in _older(self.waiting, loop.time() - keep_alive):
            connection.close_if_idle()
        for connection in _older(self.waiting, loop.time() - patience):
            connection.expire()
        for connection in _older(self._closing, loop.time() - CLOSING):
            connection.abort()
        # uvicorn's protocol for WebSockets does not say when a connection is lost.
        for transport in [each for each in self._websockets if each.is_closing()]:
            self._uncount(self._websockets.pop(transport))

    def _uncount(self, network: str) -> None:
        self._numbers[network] -= 1
        if not self._numbers[network]:
            del self._numbers[network]


def _older(since: dict[Connection, float], limit: float) -> list[Connection]:
    """Return the first connections of `since`, up to the first one that is not older."""
    old = []
    for connection, start in since.items():
        if start > limit:
            break
        old.append(connection)
    return old


@lru_cache(4096)
def network_of(address: str) -> str:
    """Return what counts as one address: of an IPv6 address, the first 64 bits.

    One customer of a provider has all addresses of such a network.
    """
    parsed = ip_address(address)
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed) >> 64 << 64, 64)))
