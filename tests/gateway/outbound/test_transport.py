"""The transport keeps HTTPX's promises: TLS by name, timeouts, its own exceptions."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import httpcore
import httpx
import pytest

from services.gateway.outbound.client import make_client
from services.gateway.outbound.network import PublicNetworkBackend
from tests.gateway.receiver import receiver
from tests.processes import free_port

Dns = dict[str, list[list[str]]]


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The TLS of a server named agency.example, whose certificate this process trusts."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    name = ["-subj", "/CN=agency.example", "-addext", "subjectAltName=DNS:agency.example"]
    subprocess.run(["openssl", "req", "-x509", *made, *name], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    certified: ssl.SSLContext, dns: Dns
) -> None:
    dns["agency.example"] = dns["other.example"] = [["127.0.0.1"], ["127.0.0.1"]]
    async with (
        receiver(tls=certified) as listening,
        make_client(timeout=5, allow_private=True) as client,
    ):
        port = httpx.URL(listening.url).port
        assert (await client.post(f"https://agency.example:{port}/")).status_code == 204
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.post(f"https://other.example:{port}/")
        assert len(listening.requests) == 1


async def test_a_receiver_that_does_not_answer_is_a_read_timeout() -> None:
    async with (
        receiver(asyncio.Event()) as listening,
        make_client(timeout=20, allow_private=True) as client,
    ):
        with pytest.raises(httpx.ReadTimeout):
            await client.post(listening.url, timeout=httpx.Timeout(20, read=0.2))


async def test_a_body_that_stops_early_is_a_protocol_error(lax: httpx.AsyncClient) -> None:
    short = "200 OK\r\nTransfer-Encoding: chunked"
    async with receiver(short) as listening:
        with pytest.raises(httpx.RemoteProtocolError):
            await lax.post(listening.url)


async def test_a_closed_port_is_a_connect_error(lax: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ConnectError):
        await lax.post(f"http://127.0.0.1:{free_port()}/")


async def test_a_body_is_sent_and_read_in_chunks(lax: httpx.AsyncClient) -> None:
    async with (
        receiver(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000)) as listening,
        lax.stream("POST", listening.url, content=b"a question") as answer,
    ):
        async for chunk in answer.aiter_raw():
            assert chunk
            break

    assert [each.body for each in listening.requests] == ["a question"]


async def test_each_exception_of_httpcore_becomes_the_one_of_httpx(
    lax: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {
        name: kind
        for name, kind in vars(httpcore).items()
        if isinstance(kind, type) and issubclass(kind, Exception) and hasattr(httpx, name)
    }
    assert {"ConnectTimeout", "ReadError", "RemoteProtocolError", "PoolTimeout"} <= named.keys()
    for name, kind in named.items():

        async def fail(*args: object, kind: type[Exception] = kind, **options: object) -> None:
            raise kind("as it was said")

        monkeypatch.setattr(PublicNetworkBackend, "connect_tcp", fail)
        with pytest.raises(httpx.TransportError, match="as it was said") as raised:
            await lax.post("http://agency.example/")
        assert type(raised.value).__name__ == name
