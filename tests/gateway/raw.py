"""HTTP by hand, for what a proper client never does."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """A connection to the server at `url`."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as sock:
        yield sock


def answer_on(sock: socket.socket) -> httpx.Response:
    """The next answer that comes in, whole."""
    with HTTPResponse(sock) as response:
        response.begin()
        body = response.read()
        return httpx.Response(response.status, headers=response.getheaders(), content=body)
