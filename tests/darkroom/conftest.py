"""A gateway that nobody works for: what it accepts stays queued."""

from collections.abc import Iterator

import pytest

from tests.processes import Service, faststream, valkey


@pytest.fixture(scope="session")
def idle_redis() -> Iterator[str]:
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture(scope="session")
def idle(idle_redis: str) -> Iterator[Service]:
    with faststream("gateway", idle_redis) as service:
        yield service
