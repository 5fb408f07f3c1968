"""Requests that go past FastAPI: which ones do, and what the application checks for them."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock

import httpx
import pytest
from fastapi import FastAPI

from contracts.imaging import Blob, Rendered
from services.gateway.access.limits.charges import Charges
from services.gateway.http.error_handlers import install_error_handlers
from services.gateway.http.image_response import AnswerRoom
from services.gateway.http.query import check_query
from services.gateway.http_application import create_http
from services.gateway.routes import fetch, images, results
from services.gateway.routes.direct.plain_delivery import PlainDelivery
from services.gateway.rpc import Reply
from services.gateway.settings import GatewaySettings
from services.gateway.token_bucket import TokenBucket
from services.runtime.storage.blobs import Seen
from services.runtime.storage.lookups import Found, Lookup
from services.runtime.storage.records import StoredBlob
from tests.gateway.callers import called_by
from tests.gateway.routes.direct.delivery_requests import CURRENT

ROUTES = [*images.router.routes, *fetch.router.routes, *results.router.routes]


class NoImages:
    async def find(self, lookup: Lookup) -> None:
        """Find none."""


@pytest.mark.parametrize(
    ("target", "is_direct"),
    [
        ("", True), ("/render", True), (f"/render?op=flip&format=auto&timeout=3&{CURRENT}", True),
        ("?op=flip", False), ("/render?op=melt", False), ("/render?no=parameter", False),
        ("/render?timeout=0", False), ("/info", False),
    ],
)  # fmt: skip
async def test_only_a_well_formed_request_goes_past_fastapi(target: str, is_direct: bool) -> None:
    without_routes = FastAPI()
    install_error_handlers(without_routes)
    deps: Any = SimpleNamespace(
        lookups=NoImages(),
        imaging=SimpleNamespace(expects_renders=False),
        settings=GatewaySettings(),
        rerenders=TokenBucket(rate=1, size=1),
    )
    routes = PlainDelivery(without_routes, deps, ROUTES)
    transport = httpx.ASGITransport(called_by(routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://darkroom") as client:
        answer = await client.get(f"/v1/images/{'0' * 64}{target}")
    assert ("no image with this id" in answer.json()["detail"]) == is_direct


def test_the_application_has_no_other_dependency_than_direct_routes_know() -> None:
    """Direct routes go past FastAPI: a further dependency must be called by them as well."""
    dependencies = create_http(Mock()).router.dependencies
    assert [one.dependency for one in dependencies] == [check_query]


@pytest.mark.parametrize("collapsed", [False, True])
async def test_a_result_that_a_worker_found_is_not_called_collapsed(collapsed: bool) -> None:
    blob = Blob(key="0" * 64, media_type="image/png", bytes=2)
    rendered = Rendered(blob=blob, width=1, height=1, reused=True)
    reply = Reply(rendered, b"xy", worker="one", queue_ms=0, collapsed=collapsed)
    image = Seen(StoredBlob(blob, digest=blob.key))
    deps: Any = SimpleNamespace(
        lookups=SimpleNamespace(find=AsyncMock(return_value=Found(image, 60.0))),
        imaging=SimpleNamespace(expects_renders=False, render=AsyncMock(return_value=reply)),
        settings=GatewaySettings(),
        rerenders=TokenBucket(rate=1, size=1),
        charges=Charges(AsyncMock(), AsyncMock(), inspect_timeout=1),
        answers=AnswerRoom(100),
        renditions=None,
    )
    routes = PlainDelivery(FastAPI(), deps, ROUTES)
    transport = httpx.ASGITransport(called_by(routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://darkroom") as client:
        answer = await client.get(f"/v1/images/{blob.key}/render?op=flip")
    assert answer.content == b"xy"
    status = "darkroom; fwd=miss" + ("; collapsed" if collapsed else "")
    assert answer.headers["cache-status"] == status
