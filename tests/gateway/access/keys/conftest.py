"""One application for all tests of a module: it takes half a second to make."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.gateway.access.gateways import client_of, settings_of


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keyed(redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that asks for keys; it sends none by itself."""
    async with client_of(settings_of(redis_url)) as client:
        yield client
