"""Fixture of the tests of calls to one worker."""

from collections.abc import AsyncIterator

import pytest

from services.runtime.messaging import list_consumer, stream_consumer
from tests.gateway.delivery.one_worker import Suite
from tests.processes import valkey


@pytest.fixture
async def suite(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Suite]:
    # A stop waits for the end of a blocking read.
    for module in (list_consumer, stream_consumer):
        monkeypatch.setattr(module, "POLL", 0.05)
    with valkey() as server:
        suite = Suite(str(server.connection_url))
        await suite.serving.start()
        await suite.gateway.start()
        yield suite
        await suite.gateway.stop()
        await suite.serving.stop()
