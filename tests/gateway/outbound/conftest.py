"""DNS answers that a test chooses, and clients with and without access to private addresses."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.gateway.outbound.client import make_client


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Addresses that names resolve to: one list for the first lookup, one for the second, etc."""
    answers: dict[str, list[list[str]]] = {}
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        addresses = answers[host].pop(0) if host in answers else [host]
        return [one for each in addresses for one in resolve(each, port, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answers


@pytest.fixture
async def strict() -> AsyncIterator[httpx.AsyncClient]:
    """A client that connects to public addresses only."""
    async with make_client(timeout=5) as client:
        yield client


@pytest.fixture
async def lax() -> AsyncIterator[httpx.AsyncClient]:
    """A client that may connect to this host."""
    async with make_client(timeout=5, allow_private=True) as client:
        yield client
