"""An S3 server whose faults a test chooses: away, slow, or busy."""

import socket
import socketserver
import threading
import time
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
    """Connections are closed without an answer."""
    SLOW = auto()
    """Every request takes 500 ms longer."""
    BUSY = auto()
    """A tenth of the requests are refused with 503."""


class FaultyS3(socketserver.ThreadingTCPServer):
    """A proxy of an S3 server, with one request a connection."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", free_port()), _Connection)
        self.fault = Fault.NONE
        self.requests = 0
        self.number = count(1)
        place = urlsplit(endpoint)
        self.upstream = (place.hostname or "", place.port or 0)

    def store(self, prefix: str) -> str:
        """Return the URL of a store in the bucket behind the proxy."""
        endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        return f"s3://{BUCKET}/{prefix}?endpoint={endpoint}&region=us-east-1"


class _Connection(socketserver.BaseRequestHandler):
    server: FaultyS3
    request: socket.socket

    def handle(self) -> None:
        with suppress(OSError):
            self._forward(self.request.recv(1 << 16))

    def _forward(self, head: bytes) -> None:
        if not head:
            return
        server = self.server
        server.requests += 1
        if server.fault is Fault.AWAY:
            return
        if server.fault is Fault.SLOW:
            time.sleep(_DELAY)
        if server.fault is Fault.BUSY and next(server.number) % 10 == 0:
            self.request.sendall(_BUSY)
            return
        with socket.create_connection(server.upstream, timeout=30) as upstream:
            # Each request comes over a connection of its own.
            upstream.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            threading.Thread(target=_copy, args=(self.request, upstream), daemon=True).start()
            _copy(upstream, self.request)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)


@contextmanager
def faulty_s3(endpoint: str) -> Iterator[FaultyS3]:
    """A proxy of the server at `endpoint`."""
    with FaultyS3(endpoint) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join(10)
