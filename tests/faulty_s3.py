"""An S3 server whose faults a test chooses: away, slow, or busy."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from itertools import count
from urllib.parse import urlsplit

from bench.s3_servers import BUCKET
from tests.processes import free_port

_BUSY = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_DELAY = 0.5  # seconds


class Fault(Enum):
    """The faults of the server."""

    NONE = auto()
    AWAY = auto()
    """No connection is answered."""
    SLOW = auto()
    """Every request takes 500 ms longer."""
    BUSY = auto()
    """A tenth of the requests are refused with 503."""


class FaultyS3:
    """A proxy of an S3 server, one request a connection, in a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        self.fault = Fault.NONE
        self.requests = 0
        self._number = count(1)
        place = urlsplit(endpoint)
        self._upstream = (place.hostname or "", place.port or 0)
        self._port = free_port()

    def store(self, prefix: str) -> str:
        """Return the URL of a store in the bucket behind the proxy."""
        endpoint = f"http://127.0.0.1:{self._port}"
        return f"s3://{BUCKET}/{prefix}?endpoint={endpoint}&region=us-east-1"

    async def serve(self, ready: threading.Event, end: asyncio.Event) -> None:
        """Serve until `end`."""
        async with await asyncio.start_server(self._connected, "127.0.0.1", self._port):
            ready.set()
            await end.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._forward(reader, writer)
        writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        if self.fault is Fault.AWAY:
            return
        if self.fault is Fault.SLOW:
            await asyncio.sleep(_DELAY)
        if self.fault is Fault.BUSY and next(self._number) % 10 == 0:
            writer.write(_BUSY)
            await writer.drain()
            return
        theirs, to_them = await asyncio.open_connection(*self._upstream)
        # A server that closes its connections: each request comes over one of its own.
        to_them.write(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        sending = asyncio.create_task(_copy(reader, to_them))
        try:
            await _copy(theirs, writer)
        finally:
            sending.cancel()
            to_them.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


@contextmanager
def faulty_s3(endpoint: str) -> Iterator[FaultyS3]:
    """A proxy of the server at `endpoint`."""
    proxy, ready = FaultyS3(endpoint), threading.Event()
    loop, end = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        loop.run_until_complete(proxy.serve(ready, end))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        loop.close()
