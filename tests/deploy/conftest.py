"""nginx in front of the gateway, and an image that was uploaded through it."""

from collections.abc import Iterator

import pytest

from tests.deploy.nginx import Proxy, nginx
from tests.e2e.pictures import photograph
from tests.processes import Service


@pytest.fixture(scope="session")
def proxy(gateway: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx with deploy/nginx.conf in front of the gateway."""
    with nginx(gateway.url, tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture(scope="session")
def image(proxy: Proxy) -> str:
    """The path of an image that was uploaded through nginx."""
    uploaded = proxy.http.post("/v1/images", content=photograph(seed=61))
    assert uploaded.status_code in {200, 201}, uploaded.text
    return str(uploaded.headers["Location"])
