"""A client of the running suite, and a gateway that nobody works for."""

from collections.abc import Iterator

import httpx
import pytest

from tests.processes import Service, faststream, valkey


@pytest.fixture(scope="session")
def client(gateway_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway_url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def lonely_redis() -> Iterator[str]:
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture(scope="session")
def lonely(lonely_redis: str) -> Iterator[Service]:
    """A gateway without a worker, strict and impatient."""
    env = {
        "DARKROOM_MAX_BODY": "1000000",
        "DARKROOM_MAX_BODIES": "4000000",
        "DARKROOM_BODY_PATIENCE": "0.5",
        "DARKROOM_LINGER": "1",
    }
    with faststream("gateway", lonely_redis, env=env) as service:
        yield service


@pytest.fixture
def nobody(lonely: Service) -> Iterator[httpx.Client]:
    """A client of the gateway that has no worker."""
    with httpx.Client(base_url=lonely.url, timeout=10) as client:
        yield client
    lonely.output()


@pytest.fixture(autouse=True)
def _read_what_the_services_print(request: pytest.FixtureRequest) -> Iterator[None]:
    """A full pipe would stop them."""
    yield
    for name in ("gateway", "imaging"):
        if name in request.fixturenames:
            request.getfixturevalue(name).output()
