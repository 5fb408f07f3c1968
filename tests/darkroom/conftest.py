"""A gateway without an imaging service: its jobs stay queued."""

from collections.abc import Iterator

import pytest

from tests.processes import Service, faststream, valkey


@pytest.fixture(scope="session")
def idle_redis() -> Iterator[str]:
    """The URL of a Redis without workers."""
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture(scope="session")
def idle(idle_redis: str) -> Iterator[Service]:
    """A gateway on that Redis."""
    with faststream("gateway", idle_redis) as service:
        yield service
