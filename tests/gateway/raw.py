"""HTTP over a plain socket, for requests that an HTTP client would never send."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """A TCP connection to the server of `url`."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as sock:
        yield sock


def read_response(sock: socket.socket) -> httpx.Response:
    """Read the next response, with its body."""
    with HTTPResponse(sock) as response:
        response.begin()
        body = response.read()
        return httpx.Response(response.status, headers=response.getheaders(), content=body)


def is_closed(sock: socket.socket) -> bool:
    """Read what has arrived; return whether the server has closed the connection."""
    sock.settimeout(0)
    try:
        while sock.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True
