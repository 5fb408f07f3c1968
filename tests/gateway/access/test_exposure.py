"""Without DARKROOM_ACCESS a gateway is open on loopback, and answers nobody else."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.types import Message
from uvicorn.config import Config
from uvicorn.lifespan.on import LifespanOn

from services.gateway.access.exposure import ADVICE
from services.gateway.app import create_app
from services.gateway.server.binding import ExposedServerError
from services.gateway.settings import GatewaySettings
from tests.gateway.access.gateways import client_of, settings_of
from tests.gateway.server.test_binding import bound


def listen(access: str | None = None, **options: Any) -> None:
    """Start a gateway by uvicorn with some options, as far as it looks at them."""
    bound(GatewaySettings.model_validate({"access": access}), **options)


@contextmanager
def listening(family: socket.AddressFamily, address: Any) -> Iterator[int]:
    """A socket at an address, as a supervisor hands it over: its file descriptor."""
    with socket.socket(family) as sock:
        sock.bind(address)
        yield sock.fileno()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_loopback_needs_no_word(host: str) -> None:
    listen(host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "2001:db8::1", "gateway"])
def test_another_address_needs_one(host: str) -> None:
    with pytest.raises(ExposedServerError, match="DARKROOM_ACCESS"):
        listen(host=host)
    for access in ("open", "keys"):
        listen(access, host=host)


def test_a_socket_that_is_handed_over_is_looked_at(tmp_path: os.PathLike[str]) -> None:
    listen(uds=f"{tmp_path}/gateway")
    with listening(socket.AF_UNIX, f"{tmp_path}/socket") as fd:
        listen(fd=fd)
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as fd:
        listen(fd=fd)
    with listening(socket.AF_INET, ("0.0.0.0", 0)) as fd, pytest.raises(ExposedServerError):
        listen(fd=fd)


async def test_the_start_fails_with_one_sentence_that_says_what_to_do() -> None:
    app = create_app(GatewaySettings())
    config = Config(app, log_config=None, host="0.0.0.0")
    config.load()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    receive: Any = LifespanOn(config).receive
    await app({"type": "lifespan"}, receive, send)

    assert sent == [{"type": "lifespan.startup.failed", "message": ADVICE}]


async def test_a_connection_from_outside_is_refused_and_the_gateway_is_not_ready(
    redis_url: str,
) -> None:
    outside = "http://192.0.2.7:8000"
    async with client_of(settings_of(redis_url, access=None)) as client:
        assert (await client.get("/v1/jobs")).status_code == 200
        assert (await client.get("/health/ready")).json()["access"] == "ok"
        for path in ("/v1/jobs", "/docs", "/v1/nothing"):
            refused = await client.get(outside + path)
            assert (refused.status_code, refused.json()["detail"]) == (503, ADVICE)
        for origin in (outside, "http://127.0.0.1"):
            ready = await client.get(f"{origin}/health/ready")
            assert (ready.status_code, ready.json()["access"]) == (503, ADVICE)
            assert (await client.get(f"{origin}/health/live")).status_code == 200
        assert (await client.get("/v1/jobs")).status_code == 200
