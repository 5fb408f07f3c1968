"""Answers of nginx for an image that is not fresh any more, and while the gateway is away."""

from pathlib import Path

import httpx
import pytest

from tests.deploy.nginx import NGINX, Proxy, nginx
from tests.e2e.pictures import photograph
from tests.processes import Service, faststream, wait_until

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light"),
]


def test_an_image_that_is_no_longer_fresh_is_sent_while_the_gateway_is_asked_or_away(
    imaging: Service, redis_url: str, tmp_path: Path
) -> None:
    env = {"DARKROOM_MAX_AGE": "1", "DARKROOM_STALE_WHILE_REVALIDATE": "60"}
    with (
        faststream("gateway", redis_url, env=env) as gateway,
        nginx(gateway.url, tmp_path) as proxy,
    ):
        path = proxy.http.post("/v1/images", content=photograph(seed=71)).headers["Location"]
        address = f"{path}/render?op=resize:width=71"
        first = proxy.http.get(address)
        wait_until(lambda: cached(proxy, address) == "HIT", seconds=5)
        wait_until(lambda: cached(proxy, address) == "STALE", seconds=5)
        # Meanwhile the gateway was asked, without a render.
        wait_until(lambda: cached(proxy, address) == "HIT", seconds=5)

        gateway.stop()
        wait_until(lambda: cached(proxy, address) == "STALE", seconds=5)
        assert proxy.http.get(address).content == first.content
        assert proxy.http.get(f"{path}/info").status_code == 502


def cached(proxy: Proxy, address: str) -> str:
    """Return what nginx says of its cache."""
    answer: httpx.Response = proxy.http.get(address)
    assert answer.status_code == 200
    return str(answer.headers["X-Cache"])
