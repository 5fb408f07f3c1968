"""HTTP to URLs that clients name: judged before and while it connects, and held to the name."""

import logging
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.errors import InvalidRequest
from services.gateway.outbound import client as outbound_client
from services.gateway.outbound.addresses import is_public
from services.gateway.outbound.client import make_client, refuse_unsafe
from tests.gateway.receiver import receiver
from tests.processes import free_port

Names = dict[str, list[list[str]]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """What some names resolve to, the first time, the second time, and so on."""
    turns: Names = {}
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        addresses = turns[host].pop(0) if host in turns else [host]
        return [one for each in addresses for one in resolve(each, port, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return turns


@pytest.fixture
async def strict() -> AsyncIterator[httpx.AsyncClient]:
    async with make_client(timeout=5) as client:
        yield client


@pytest.fixture
async def lax() -> AsyncIterator[httpx.AsyncClient]:
    """One that may talk to this host."""
    async with make_client(timeout=5, allow_private=True) as client:
        yield client


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.0.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1"),
        *("100.64.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
        *("::", "::1", "::127.0.0.1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1"),
        *("fec0::1", "ff02::1", "ff0e::1", "2001:db8::1", "2001::1", "3fff::1", "4000::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::808:808"),
        *("2002:7f00:1::", "2002:a9fe:a9fe::1"),
    ],
)
def test_any_other_address_is_not(address: str) -> None:
    assert not is_public(address)


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
def test_a_url_of_the_internet_may_be_asked_for(url: str) -> None:
    refuse_unsafe(url)


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
        ("https://agency.example:x/", "no URL"),
        ("http://127.0.0.1/", "reachable"),
        ("http://127.0.0.1./", "reachable"),
        ("http://127.1/", "reachable"),
        ("http://0x7f000001/", "reachable"),
        ("http://2130706433/", "reachable"),
        ("http://0177.0.0.1/", "no URL"),
        ("http://[::1]/", "reachable"),
        ("http://[::ffff:10.0.0.1]/", "reachable"),
        ("http://LOCALHOST/", "reachable"),
        ("http://redis.localhost./", "reachable"),
        ("http://169.254.169.254/latest/meta-data", "reachable"),
    ],
)
def test_an_unsafe_url_is_refused_with_advice(url: str, advice: str) -> None:
    with pytest.raises(InvalidRequest, match=advice):
        refuse_unsafe(url)


def test_where_private_addresses_are_allowed_the_rest_still_holds() -> None:
    refuse_unsafe("http://127.0.0.1:8000/", allow_private=True)
    with pytest.raises(InvalidRequest):
        refuse_unsafe("http://127.0.0.1:22/", allow_private=True)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]],
    ids=lambda addresses: "+".join(addresses),
)
async def test_a_name_with_any_address_that_is_not_public_is_refused(
    addresses: list[str], names: Names, strict: httpx.AsyncClient
) -> None:
    names["agency.example"] = [addresses]
    async with receiver() as hearing:
        port = httpx.URL(hearing.url).port
        with pytest.raises(InvalidRequest, match="not reachable from the internet"):
            await strict.post(f"http://agency.example:{port}/")
        assert not hearing.heard


async def test_a_literal_that_slipped_through_is_refused(strict: httpx.AsyncClient) -> None:
    async with receiver() as hearing:
        for host in ("127.0.0.1", "127.1", "0x7f000001", "localhost", "[::ffff:127.0.0.1]"):
            with pytest.raises(InvalidRequest):
                await strict.post(hearing.url.replace("127.0.0.1", host))
        assert not hearing.heard


async def test_the_connection_goes_to_the_address_that_was_judged(
    names: Names, strict: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name means another address a moment later; 127.0.0.2 stands for the internet here."""
    monkeypatch.setattr(outbound_client, "is_public", lambda address: address == "127.0.0.2")
    names["agency.example"] = [["127.0.0.2"], ["127.0.0.1"]]
    async with receiver() as private:
        port = httpx.URL(private.url).port
        assert port is not None
        async with receiver(host="127.0.0.2", port=port) as public:
            await strict.post(f"http://agency.example:{port}/")
            with pytest.raises(InvalidRequest):
                await strict.post(f"http://agency.example:{port}/")

    assert [heard.headers["host"] for heard in public.heard] == [f"agency.example:{port}"]
    assert not private.heard


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    names: Names, lax: httpx.AsyncClient
) -> None:
    names["agency.example"] = [["::1", "127.0.0.1"]]
    async with receiver() as hearing:
        port = httpx.URL(hearing.url).port
        answer = await lax.post(f"http://agency.example:{port}/")

    assert answer.status_code == 204


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "a" * 70 + ".example"])
async def test_a_name_that_is_none_is_no_connection(host: str, lax: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ConnectError, match="not resolved"):
        await lax.post(f"http://{host}/")


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server of agency.example has, issued by somebody who is trusted here."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    name = ["-subj", "/CN=agency.example", "-addext", "subjectAltName=DNS:agency.example"]
    subprocess.run(["openssl", "req", "-x509", *made, *name], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_tls_is_held_to_the_name_and_not_to_the_address(
    certified: ssl.SSLContext, names: Names
) -> None:
    names["agency.example"] = names["other.example"] = [["127.0.0.1"], ["127.0.0.1"]]
    async with (
        receiver(tls=certified) as hearing,
        make_client(timeout=5, allow_private=True) as own,
    ):
        port = httpx.URL(hearing.url).port
        assert (await own.post(f"https://agency.example:{port}/")).status_code == 204
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await own.post(f"https://other.example:{port}/")
        assert len(hearing.heard) == 1


async def test_no_proxy_of_the_environment_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with receiver() as hearing, make_client(timeout=5, allow_private=True) as client:
        assert (await client.post(hearing.url)).status_code == 204


async def test_redirects_are_not_followed_and_cookies_not_kept(lax: httpx.AsyncClient) -> None:
    async with receiver() as elsewhere:
        moved = f"302 Found\r\nLocation: {elsewhere.url}\r\nSet-Cookie: spy=1"
        async with receiver(moved) as hearing:
            assert (await lax.post(hearing.url)).status_code == 302
            await lax.post(hearing.url)

    assert not elsewhere.heard
    assert "cookie" not in hearing.heard[1].headers


async def test_urls_stay_out_of_the_log(
    lax: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with receiver() as hearing:
        await lax.post(f"{hearing.url}?token=t")

    assert "token" not in caplog.text
