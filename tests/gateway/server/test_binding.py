"""The bounds are in force however the gateway is started, or it does not start."""

import inspect
import os
import resource
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.lifespan.on import LifespanOn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.gateway.app import create_app
from services.gateway.server.answering import AnsweringProtocol
from services.gateway.server.binding import UnboundedServerError, bind
from services.gateway.settings import GatewaySettings
from services.gateway.shutdown import Shutdown
from services.runtime.telemetry.metrics import Metrics
from tests.gateway.raw import connected, read_response
from tests.gateway.refusals import assert_problem
from tests.gateway.server.test_pieces import Nothing
from tests.processes import BIN, ROOT, Service, free_port

SETTINGS = GatewaySettings()

COMMANDS = {
    "faststream": ["faststream", "run", "--workers", "2"],
    "uvicorn": ["uvicorn", "--workers", "2"],
}
"""Commands for several processes; other tests start one by each of these commands."""

OVERRIDDEN = {
    "connection_made": "self, transport",
    "connection_lost": "self, exc",
    "data_received": "self, data",
    "on_headers_complete": "self",
    "_start_asgi_task": "self, cycle, app",
    "on_body": "self, body",
    "on_message_complete": "self",
    "on_response_complete": "self",
    "handle_websocket_upgrade": "self",
    "send_400_response": "self, msg",
}
"""Methods of uvicorn's protocol that ours overrides, with their parameters."""


async def no_application(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI application that does nothing."""


def bound(settings: GatewaySettings, **options: Any) -> Config:
    """Put the bounds in force in a server with these options, and return its configuration."""
    config = Config(no_application, log_config=None, **options)
    config.load()
    # The receive of uvicorn, whose types of messages are its own.
    bind(LifespanOn(config).receive, settings, Metrics(), Shutdown(), Nothing())  # type: ignore[arg-type]
    return config


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_each_command_puts_the_bounds_in_force(command: list[str], redis_url: str) -> None:
    port = free_port()
    program, *options = command
    line = [str(BIN / program), *options, "services.gateway.main:app", "--port", str(port)]
    service = Service(line, port=port, redis_url=redis_url)
    try:
        service.wait_ready()
        with connected(service.url) as sock:
            sock.sendall(b"nonsense\r\n\r\n")
            assert_problem(read_response(sock), 400, "invalid_request")
    finally:
        service.close()


@pytest.mark.parametrize(
    ("options", "explanation"),
    [
        (["--http", "h11"], "Start it without `--http h11`"),
        (["--log-level", "trace"], "without `--log-level trace`"),
    ],
    ids=["another protocol", "trace"],
)
def test_a_command_without_the_bounds_is_refused_at_start(
    options: list[str], explanation: str, redis_url: str
) -> None:
    line = [str(BIN / "uvicorn"), "services.gateway.main:app", "--port", str(free_port()), *options]
    env = {**os.environ, "REDIS_URL": redis_url}
    run = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, timeout=90)

    assert run.returncode != 0
    assert explanation in run.stdout + run.stderr


async def test_a_server_that_is_not_uvicorn_is_refused_at_start() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    await create_app(SETTINGS)({"type": "lifespan"}, receive, send)

    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "needs uvicorn" in sent[0]["message"]


async def test_a_request_that_came_without_the_bounds_gets_503() -> None:
    transport = httpx.ASGITransport(create_app(SETTINGS))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        assert_problem(await client.get("/health/ready"), 503, "internal")


def test_more_connections_than_open_files_are_refused_at_start() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    settings = SETTINGS.model_copy(update={"max_connections": hard})

    with pytest.raises(UnboundedServerError, match="DARKROOM_MAX_CONNECTIONS needs"):
        bound(settings)


def test_a_stop_waits_as_long_as_the_setting_says() -> None:
    settings = SETTINGS.model_copy(update={"graceful_timeout": 2.5})

    assert bound(settings).timeout_graceful_shutdown == 3
    assert bound(settings, timeout_graceful_shutdown=7).timeout_graceful_shutdown == 7


@pytest.mark.parametrize(("name", "parameters"), OVERRIDDEN.items())
def test_uvicorn_still_has_the_methods_that_the_protocol_overrides(
    name: str, parameters: str
) -> None:
    method: Callable[..., object] = getattr(HttpToolsProtocol, name)

    assert ", ".join(inspect.signature(method).parameters) == parameters
    assert getattr(AnsweringProtocol, name) is not method
