"""An uploaded picture for the tests of jobs."""

import httpx
import pytest

from tests.gateway.routes.job_requests import PNG


@pytest.fixture(scope="module")
def image(client: httpx.Client) -> str:
    return str(client.post("/v1/images", content=PNG).json()["id"])
