"""The runtime's tests have a server of their own: they empty it."""

from collections.abc import Iterator

import pytest

from tests.processes import valkey


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with valkey() as running:
        yield str(running.connection_url)
