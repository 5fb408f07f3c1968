"""The address of an uploaded picture, for the tests of images."""

import httpx
import pytest

from tests.gateway.routes.images.uploaded import PNG


@pytest.fixture(scope="module")
def image(client: httpx.Client) -> str:
    """Upload an image; return its address."""
    return str(client.post("/v1/images", content=PNG).headers["location"])
