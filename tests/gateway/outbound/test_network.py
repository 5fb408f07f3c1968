"""Every outbound connection goes to an address that was checked, or is not made."""

import httpcore
import httpx
import pytest

from contracts.errors import InvalidRequest
from services.gateway.outbound import network
from services.gateway.outbound.network import PublicNetworkBackend
from tests.gateway.receiver import receiver

Dns = dict[str, list[list[str]]]


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]],
    ids=lambda addresses: "+".join(addresses),
)
async def test_a_name_with_any_private_address_is_refused(
    addresses: list[str], dns: Dns, strict: httpx.AsyncClient
) -> None:
    dns["agency.example"] = [addresses]
    async with receiver() as listening:
        port = httpx.URL(listening.url).port
        with pytest.raises(InvalidRequest, match="not reachable from the internet"):
            await strict.post(f"http://agency.example:{port}/")
        assert not listening.requests


async def test_a_private_address_is_refused_however_the_url_spells_it(
    strict: httpx.AsyncClient,
) -> None:
    async with receiver() as listening:
        for host in ("127.0.0.1", "127.1", "0x7f000001", "localhost", "[::ffff:127.0.0.1]"):
            with pytest.raises(InvalidRequest):
                await strict.post(listening.url.replace("127.0.0.1", host))
        assert not listening.requests


async def test_the_connection_goes_to_the_address_that_was_checked(
    dns: Dns, strict: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the second lookup gives another address. 127.0.0.2 stands for a public one."""
    monkeypatch.setattr(network, "is_public", lambda address, nat64: address == "127.0.0.2")
    dns["agency.example"] = [["127.0.0.2"], ["127.0.0.1"]]
    async with receiver() as private:
        port = httpx.URL(private.url).port
        assert port is not None
        async with receiver(host="127.0.0.2", port=port) as public:
            await strict.post(f"http://agency.example:{port}/")
            with pytest.raises(InvalidRequest):
                await strict.post(f"http://agency.example:{port}/")

    assert [each.headers["host"] for each in public.requests] == [f"agency.example:{port}"]
    assert not private.requests


async def test_an_address_that_refuses_leaves_time_for_the_next(
    dns: Dns, lax: httpx.AsyncClient
) -> None:
    dns["agency.example"] = [["::1", "127.0.0.1"]]
    async with receiver() as listening:
        port = httpx.URL(listening.url).port
        answer = await lax.post(f"http://agency.example:{port}/")

    assert answer.status_code == 204


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "a" * 70 + ".example"])
async def test_a_name_that_does_not_resolve_is_a_connect_error(
    host: str, lax: httpx.AsyncClient
) -> None:
    with pytest.raises(httpx.ConnectError, match="not resolved"):
        await lax.post(f"http://{host}/")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_request_gets_past_the_backend(
    scheme: str, lax: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else connects: with a backend that refuses, nothing arrives anywhere."""

    async def refuse(*args: object, **options: object) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("refused by the backend")

    monkeypatch.setattr(PublicNetworkBackend, "connect_tcp", refuse)
    async with receiver() as listening:
        with pytest.raises(httpx.ConnectError, match="refused by the backend"):
            await lax.post(listening.url.replace("http:", f"{scheme}:"))
        assert not listening.requests


async def test_a_way_to_connect_that_checks_nothing_is_not_there() -> None:
    """httpcore has another one already; one that a later version adds fails alike."""
    backend = PublicNetworkBackend(allow_private=True)

    with pytest.raises(NotImplementedError):
        await backend.connect_unix_socket("/run/redis.sock")
    assert not isinstance(backend, httpcore.AnyIOBackend)
