"""A gate that renders wait at, so that Redis shows how many of them run at the same time.

Redis counts the pool processes that wait there, and drops each one that dies.
"""

import socket
from typing import Any
from urllib.parse import urlsplit

GATE = "chaos-gate"
"""A stream that has an entry once the gate is open; also the name of the processes at Redis."""


class Gate:
    """The gate as a pool process sees it.

    Make it before the process is sandboxed, as no connection is allowed then. The commands are
    written by hand, because redis-py is slow to import and new processes are on the clock.
    """

    def __init__(self, redis_url: str) -> None:
        address = urlsplit(redis_url)
        self._redis = socket.create_connection((address.hostname, address.port))
        self._ask(f"CLIENT SETNAME {GATE}")

    def wait(self) -> None:
        """Return when the gate is open; at once if it is open already."""
        self._ask(f"XREAD BLOCK 0 STREAMS {GATE} 0")

    def _ask(self, command: str) -> None:
        self._redis.sendall(f"{command}\r\n".encode())
        reply = self._redis.recv(1024)
        if not reply or reply.startswith(b"-"):
            raise ConnectionError(f"Redis did not do {command!r}: {reply!r}")


async def number_running(redis: Any) -> int:
    """Return how many pool processes have started and are alive."""
    return len(await _processes(redis))


async def number_waiting(redis: Any) -> int:
    """Return how many pool processes wait at the gate."""
    return sum("b" in process["flags"] for process in await _processes(redis))


async def open_gate(redis: Any) -> None:
    """Let all renders pass from now on."""
    await redis.xadd(GATE, {"open": "yes"})


async def _processes(redis: Any) -> list[dict[str, str]]:
    return [client for client in await redis.client_list() if client["name"] == GATE]
