"""Cut clients that do not read their answers.

What a client does not take stays in memory: in the connection's write buffer, and in the task that
waits to write more. uvicorn waits for ever, and so does a connection that it closes with unsent
bytes. So each connection with unsent bytes is looked at once a second.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_INTERVAL = 1.0  # seconds between two looks
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class _Reading:
    """Progress of a client: bytes written to its connection, and its current period of grace."""

    transport: asyncio.WriteTransport
    written: int = 0
    since: float = 0.0
    taken: int = 0  # before the period


class SlowReaderMiddleware:
    """Aborts the connection of a client that takes less than `rate` bytes a second of an answer.

    The rate counts over `patience` seconds, and only while bytes wait for the client. WebSockets
    have limits of their own.
    """

    def __init__(self, app: ASGIApp, *, patience: float, rate: int) -> None:
        self._app = app
        self._patience = patience
        self._rate = rate
        # Connections with an answer since the last look, or with unsent bytes at that look.
        self._readings: dict[Any, _Reading] = {}
        self._looks: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._looks = asyncio.create_task(self._look_again_and_again(), name="slow-readers")

    async def stop(self) -> None:
        """Look no more."""
        await end(self._looks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # `send` is a method of uvicorn's RequestResponseCycle, with httptools and h11 alike.
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if scope["type"] != "http" or transport is None:
            await self._app(scope, receive, send)
            return

        async def count(message: Message) -> None:
            if body := message.get("body"):
                self.count(transport, len(body))
            await send(message)

        await self._app(scope, receive, count)

    def count(self, transport: asyncio.WriteTransport, size: int) -> None:
        """Note that `size` bytes of an answer are written to a connection."""
        reading = self._readings.get(transport)
        if reading is None:
            reading = self._readings[transport] = _Reading(transport)
        reading.written += size

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(min(_INTERVAL, self._patience / 4))
            for reading in list(self._readings.values()):
                try:
                    self._look(reading)
                except Exception as exc:
                    # A bug with one connection must not leave all others without limits.
                    self._readings.pop(reading.transport, None)
                    log.error("slow reader not cut", exc_info=exc)

    def _look(self, reading: _Reading) -> None:
        unsent = reading.transport.get_write_buffer_size()
        now, taken = asyncio.get_running_loop().time(), reading.written - unsent
        if not unsent:
            del self._readings[reading.transport]
        elif not reading.since or taken - reading.taken >= self._rate * self._patience:
            reading.since, reading.taken = now, taken
        elif now - reading.since >= self._patience:
            del self._readings[reading.transport]
            log.info("slow reader cut", taken=taken, unsent=unsent)
            _reset(reading.transport)


def _reset(transport: asyncio.WriteTransport) -> None:
    """Close a connection, and drop what the kernel has not sent: up to 4 MB, else kept for it."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):  # of a client that has left at this moment
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
