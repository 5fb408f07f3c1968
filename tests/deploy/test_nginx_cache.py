"""The cache of deploy/nginx.conf: what it keeps, for whom, and for how long."""

import os
import shutil
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from email.utils import parsedate_to_datetime
from functools import partial

import httpx
import pytest

from tests.attempts import attempts
from tests.deploy.nginx import LOGIN, NGINX, Proxy
from tests.e2e.pictures import photograph
from tests.processes import Service, wait_until

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light"),
]


def seen(answer: httpx.Response) -> tuple[int, str]:
    """Return the status of an answer, and what nginx says of its cache."""
    return answer.status_code, answer.headers["X-Cache"]


def test_an_image_that_is_asked_for_again_is_answered_by_the_cache(
    proxy: Proxy, image: str
) -> None:
    address = f"{image}/render?op=resize:width=65"
    first, second, third = (proxy.http.get(address) for _ in range(3))
    assert (seen(first), seen(second), seen(third)) == ((200, "MISS"), (200, "MISS"), (200, "HIT"))
    assert "fwd=miss" in first.headers["Cache-Status"]
    assert second.headers["Cache-Status"] == "darkroom; hit", "the result was not rendered again"
    ids = [answer.headers["X-Correlation-ID"] for answer in (first, second, third)]
    assert ids[0] != ids[1] == ids[2], "the third request has not reached the gateway"
    assert first.content == second.content == third.content
    kept = proxy.http.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert seen(kept) == (304, "HIT")
    assert kept.headers["Cache-Control"] == first.headers["Cache-Control"]


def test_a_range_is_sent_before_and_after_the_image_is_kept(proxy: Proxy, image: str) -> None:
    for address in (image, f"{image}/render?op=resize:width=64"):
        parts = [proxy.http.get(address, headers={"Range": "bytes=3-12"}) for _ in range(3)]
        whole = proxy.http.get(address)
        assert [part.status_code for part in parts] == [206] * 3
        assert seen(whole) == (200, "HIT")
        assert {part.content for part in parts} == {whole.content[3:13]}


def test_renders_of_sources_are_answered_by_the_cache_as_well(proxy: Proxy) -> None:
    assert seen(proxy.http.get("/v1/fetch?src=none:a.jpg&op=flip")) == (403, "MISS")


def test_no_cache_asks_the_gateway_again(proxy: Proxy, image: str) -> None:
    address = f"{image}/render?op=resize:width=66"
    proxy.http.get(address)
    again = proxy.http.get(address, headers={"Cache-Control": "no-cache"})
    assert again.headers["X-Cache"] == "BYPASS"
    assert again.headers["Cache-Status"] == "darkroom; fwd=request"


def test_each_accept_has_a_result_of_its_own_with_format_auto(proxy: Proxy, image: str) -> None:
    address = f"{image}/render?op=resize:width=67&format=auto"
    kept = set()
    for accept in ["image/jpeg", "image/webp"] * 4:
        answer = proxy.http.get(address, headers={"Accept": accept})
        assert answer.headers["Content-Type"] == accept
        assert answer.headers["Vary"] == "Accept"
        if answer.headers["X-Cache"] == "HIT":
            kept.add(accept)
    assert kept == {"image/jpeg", "image/webp"}


def test_an_error_is_not_cached(proxy: Proxy, image: str) -> None:
    for _ in range(3):
        refused = proxy.http.get(f"{image}/render?op=resize:width=0")
        assert seen(refused) == (422, "MISS")
        assert refused.headers["Cache-Control"] == "no-store"


def test_an_image_that_is_not_there_is_missing_for_seconds(proxy: Proxy) -> None:
    address = f"/v1/images/{'0' * 64}"
    answers = [proxy.http.get(address) for _ in range(3)]
    assert seen(answers[-1]) == (404, "HIT")
    assert {answer.headers["Cache-Control"] for answer in answers} == {"public, max-age=5"}


def test_a_deleted_image_is_shown_until_the_cache_asks_again(proxy: Proxy) -> None:
    path = proxy.http.post("/v1/images?ttl=600", content=photograph(seed=66)).headers["Location"]
    address = f"{path}/render?op=resize:width=68"
    assert [seen(proxy.http.get(address))[1] for _ in range(3)] == ["MISS", "MISS", "HIT"]
    assert proxy.http.delete(path).status_code == 204
    assert seen(proxy.http.get(address)) == (200, "HIT")
    assert proxy.http.get(address, headers={"Cache-Control": "no-cache"}).status_code == 404


def is_missing(proxy: Proxy, address: str) -> bool:
    return proxy.http.get(address).status_code == 404


def test_a_browser_behind_nginx_keeps_an_image_no_longer_than_it_lives(proxy: Proxy) -> None:
    for number, attempt in enumerate(attempts(KeyError)):
        data = photograph(seed=670 + number)
        path = proxy.http.post("/v1/images", content=data).headers["Location"]
        before = time.time()
        assert proxy.http.put(path, json={"ttl": 2}).status_code == 200
        address = f"{path}/render?op=resize:width=69"
        with attempt:  # on a busy machine, the image may be gone before the cache has it
            proxy.http.get(address)
            proxy.http.get(address)
            hit = proxy.http.get(address)
            assert seen(hit) == (200, "HIT")
            # With `max-age` as well, a browser would count it from now on.
            assert hit.headers["Cache-Control"] == "public"
            assert parsedate_to_datetime(hit.headers["Expires"]).timestamp() <= before + 3
            wait_until(partial(is_missing, proxy, address), seconds=5)
            assert time.time() <= before + 5


def test_the_year_of_a_url_with_the_version_reaches_clients(proxy: Proxy, image: str) -> None:
    version = proxy.http.get("/v1/system").json()["render_version"]
    for _ in range(3):
        answer = proxy.http.get(f"{image}/render?op=resize:width=70&v={version}")
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@contextmanager
def closed(proxy: Proxy, address: str) -> Iterator[None]:
    """Ask for an image by HTTP/1.1, and close the connection after a second."""
    with pytest.raises(httpx.ReadTimeout):
        proxy.http.get(address, timeout=1)
    yield


@contextmanager
def reset(proxy: Proxy, address: str) -> Iterator[None]:
    """Ask for an image by HTTP/2, and reset the stream after a second, as browsers do."""
    login = b64encode(":".join(LOGIN).encode()).decode()
    script = f"""
    const http2 = require("http2");
    const asked = http2.connect("{proxy.url}")
        .request({{":path": "{address}", "authorization": "Basic {login}"}});
    setTimeout(() => asked.close(http2.constants.NGHTTP2_CANCEL), 1000);
    setTimeout(() => {{}}, 60000);  // the connection stays open
    """
    trust = {"NODE_EXTRA_CA_CERTS": str(proxy.configuration.parent / "authority.pem")}
    browser = subprocess.Popen(["node", "-e", script], env={**os.environ, **trust})
    try:
        yield
        assert browser.poll() is None
    finally:
        browser.kill()
        browser.wait()


# The first request for an address, hence two timeouts: nginx keeps the answer to the second one.
@pytest.mark.parametrize(
    ("leave", "timeout"),
    [
        (closed, 50),
        pytest.param(
            reset, 51, marks=pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
        ),
    ],
)
def test_a_render_is_cancelled_when_its_client_leaves(
    proxy: Proxy,
    gateway: Service,
    leave: Callable[[Proxy, str], AbstractContextManager[None]],
    timeout: int,
) -> None:
    data = photograph(3000, 2000, seed=68)
    path = proxy.http.post("/v1/images", content=data).headers["Location"]
    slow = "&".join(["op=blur:90"] * 32)  # half a minute and more

    def busy() -> int:
        [report] = proxy.http.get("/v1/system").json()["workers"].values()
        return int(report["busy"])

    before = gateway.output().count('"client disconnected"')
    with leave(proxy, f"{path}/render?{slow}&timeout={timeout}"):
        wait_until(lambda: gateway.output().count('"client disconnected"') > before, seconds=10)
        wait_until(lambda: busy() == 0, seconds=10)
