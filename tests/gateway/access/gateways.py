"""Gateways in this process: one without a server for many quick requests, others with real ones."""

import io
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import Mock, patch

import httpx
import structlog
import uvicorn
from starlette.types import ASGIApp

from services.gateway import app as root
from services.gateway.settings import GatewaySettings
from services.runtime.redis.client import make_redis
from tests.processes import free_port, wait_until

ADMIN_KEY = "the-key-of-an-operator-in-a-test"


ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
"""The header field with the operator's key."""


def settings_of(redis_url: str, **settings: object) -> GatewaySettings:
    """Return the settings of a gateway that asks for keys."""
    given = {"redis_url": redis_url, "access": "keys", "admin_key": ADMIN_KEY, **settings}
    return GatewaySettings.model_validate({"allow_volatile": True, **given})


def bearer(key: str) -> dict[str, str]:
    """Return the header field with a key."""
    return {"Authorization": f"Bearer {key}"}


@asynccontextmanager
async def application(settings: GatewaySettings) -> AsyncIterator[ASGIApp]:
    """The ASGI application of a gateway that was not started: each request reads the keys."""
    redis = make_redis(settings)
    with patch.object(root, "make_redis", return_value=redis):
        app = root.create_app(settings)
    yield app.http
    await redis.close()


@asynccontextmanager
async def client_of(
    settings: GatewaySettings, root_path: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of such a gateway."""
    async with application(settings) as app:
        transport = httpx.ASGITransport(app, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client


async def make(client: httpx.AsyncClient, *scopes: str, **new: object) -> dict[str, Any]:
    """Make a key by the operator's, and return it with its text."""
    body = {"name": "test", "scopes": scopes, **new}
    made = await client.post("/v1/keys", json=body, headers=ADMIN)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/v1/keys/{made.json()['id']}"
    found: dict[str, Any] = made.json()
    return found


@contextmanager
def logs_in(text: io.StringIO) -> Iterator[None]:
    """Write log lines to `text`: a command that the test runs prints to standard output."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(text))
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def gateway(redis_url: str, **settings: object) -> Iterator[str]:
    """Run a gateway in a thread, and return its URL."""
    # They change the whole process.
    kept = {name: Mock() for name in ("configure_logging", "tune_malloc", "settle")}
    with patch.multiple(root, **kept), logs_in(io.StringIO()):
        app = root.create_app(settings_of(redis_url, **settings))
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(20)
