"""URLs that are refused by their text, and differences of the outbound client from a browser."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest

from contracts.errors import InvalidRequest
from services.gateway.outbound.client import make_client, refuse_unsafe_url
from tests.gateway.receiver import Receiver, receiver
from tests.processes import free_port

PORTS = {80, 443, 8443}


@pytest.fixture
async def listening() -> AsyncIterator[Receiver]:
    async with receiver() as listening:
        yield listening


@pytest.mark.parametrize(
    "url",
    [
        "https://agency.example/darkroom?token=t",
        "http://agency.example:80/",
        "https://agency.example:8443/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://bücher.example/",
    ],
)
def test_a_url_of_the_internet_is_accepted(url: str) -> None:
    refuse_unsafe_url(url, ports=PORTS)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("https://name:password@agency.example/", "name and password"),
        ("https://agency.example\\@127.0.0.1/", "name and password"),
        ("https://agency.example:22/", "port"),
        ("https://agency.example:0/", "port"),
        ("https://agency.example:70000/", "port"),
        ("https:///path", "host"),
        ("ftp://agency.example/", "http or https"),
        ("https://agency.example:x/", "malformed"),
        ("https://xn--/", "malformed"),
        ("http://127.0.0.1/", "reachable"),
        ("http://127.0.0.1./", "reachable"),
        ("http://127.1/", "reachable"),
        ("http://0x7f000001/", "reachable"),
        ("http://2130706433/", "reachable"),
        ("http://0177.0.0.1/", "malformed"),
        ("http://[::1]/", "reachable"),
        ("http://[::ffff:10.0.0.1]/", "reachable"),
        ("http://LOCALHOST/", "reachable"),
        ("http://redis.localhost./", "reachable"),
        ("http://169.254.169.254/latest/meta-data", "reachable"),
    ],
)
def test_an_unsafe_url_is_refused_with_advice(url: str, advice: str) -> None:
    with pytest.raises(InvalidRequest, match=advice):
        refuse_unsafe_url(url, ports=PORTS)


def test_allowing_private_addresses_lifts_no_other_rule() -> None:
    refuse_unsafe_url("http://127.0.0.1:8000/", ports={8000}, allow_private=True)
    with pytest.raises(InvalidRequest):
        refuse_unsafe_url("http://127.0.0.1:22/", ports={8000}, allow_private=True)


async def test_proxies_of_the_environment_are_ignored(
    listening: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with make_client(timeout=5, allow_private=True) as client:
        assert (await client.post(listening.url)).status_code == 204


async def test_redirects_are_not_followed_and_cookies_not_kept(
    listening: Receiver, lax: httpx.AsyncClient
) -> None:
    moved = f"302 Found\r\nLocation: {listening.url}\r\nSet-Cookie: spy=1"
    async with receiver(moved) as redirecting:
        assert (await lax.post(redirecting.url)).status_code == 302
        await lax.post(redirecting.url)

    assert not listening.requests
    assert "cookie" not in redirecting.requests[1].headers


async def test_urls_are_not_logged(
    listening: Receiver, lax: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await lax.post(f"{listening.url}?token=t")

    assert "token" not in caplog.text
