"""Every error is a problem document (RFC 9457), and is logged once."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from structlog.testing import capture_logs

from contracts.errors import Code, Failure
from services.gateway.http import error_handlers, problems
from services.gateway.middleware.correlation import CorrelationMiddleware
from services.gateway.middleware.proxies import ProxyMiddleware, TrustedProxies
from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service

PNG = encoded(scenery(40, 30), "PNG")
NOWHERE = "0" * 64


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/v1",
        "/v1/images/",
        f"/v1/images/{NOWHERE}",
        f"/v1/images/{NOWHERE}/info",
        f"/v1/images/{NOWHERE}/render?op=flip",
        "/v1/images/%00",
        "/v1/images/%FF%FE%0D%0A",
        "/v1/images/..%2F..%2Fetc%2Fpasswd",
        "/v1/images/" + "a" * 5000,
        "/v1/images/*",
        "/v1/jobs/" + "0" * 32,
        "/v1/jobs/" + "0" * 32 + "/results",
        "/v1/jobs/" + "0" * 32 + "/results/0",
        "/v1/jobs/" + "0" * 32 + "/results/64",
        "/v1/jobs/" + "0" * 32 + "/results/-1",
        "/v1/jobs/" + "0" * 32 + "/results/first",
        "/v1/jobs/" + "0" * 32 + "/results/" + "9" * 5000,
        "/v1/jobs/unknown",
        "/v1/jobs/%00",
        "/v1/jobs/" + "A" * 32,
        "/web/nothing.js",
        "/web/%00",
        "/web/..%2Fsettings.py",
        "/web/" + "a" * 300,
    ],
    ids=lambda text: text[:40],
)
def test_an_unknown_address_is_404(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(path), 404, "not_found")


@pytest.mark.parametrize("image", ["A", "..", "%00", NOWHERE + ":details", NOWHERE + "0", "F" * 64])
def test_an_id_that_no_image_can_have_is_404_for_every_method(
    client: httpx.Client, image: str
) -> None:
    for method, path in (
        ("DELETE", ""),
        ("DELETE", "/renditions"),
        ("PUT", ""),
        ("GET", "/info"),
        ("GET", "/render?op=flip"),
    ):
        answer = client.request(
            method, f"/v1/images/{image.replace('..', '%2e%2e')}{path}", json={"label": "x"}
        )
        assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/render", "POST"),
        ("GET", "/v1/dead-letters/x/requeue", "POST"),
        ("PUT", "/v1/images", "GET, HEAD, POST"),
        ("POST", f"/v1/images/{NOWHERE}", "DELETE, GET, HEAD, PUT"),
        ("PATCH", f"/v1/images/{NOWHERE}/render", "GET, HEAD"),
        ("POST", "/v1/jobs/" + "0" * 32, "DELETE, GET, HEAD"),
        ("PUT", "/v1/jobs", "GET, HEAD, POST"),
        ("POST", "/v1/system", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/web/app.js", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("POST", "/asyncapi", "GET, HEAD"),
        ("DELETE", "/asyncapi.yaml", "GET, HEAD"),
        ("POST", "/health/live", "GET, HEAD"),
    ],
)
def test_a_405_lists_the_allowed_methods(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)

    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


def test_an_unhandled_exception_is_a_500_and_one_line_in_the_log() -> None:
    app = FastAPI()
    error_handlers.install_error_handlers(app)

    @app.get("/")
    async def broken() -> None:
        raise ZeroDivisionError("a secret of the implementation")

    # An exception that left the application would fail the test: the server logs those again.
    transport = httpx.ASGITransport(CorrelationMiddleware(app), raise_app_exceptions=True)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/")

    with capture_logs() as lines:
        answer = asyncio.run(ask())

    detail = assert_problem(answer, 500, "internal")
    assert "a secret of the implementation" not in detail
    [line] = lines
    assert (line["event"], line["log_level"], line["path"]) == ("unhandled", "error", "/")
    assert isinstance(line["exc_info"], ZeroDivisionError)


def test_every_code_has_a_status_and_a_title() -> None:
    assert set(problems.STATUS) == set(problems.TITLES) == set(Code)


def test_every_503_has_retry_after() -> None:
    for code in (code for code, status in problems.STATUS.items() if status == 503):
        failure = Failure(code=code, detail="x")

        assert problems.problem(failure, {}).headers["retry-after"] == "1"


@pytest.mark.parametrize("prefix", ["", "/photos"])
@pytest.mark.parametrize("path", ["/nowhere", "/web/nothing.js"])
async def test_the_type_has_the_prefix_of_a_proxy_and_not_the_path_of_a_mount(
    path: str, prefix: str, tmp_path: Path
) -> None:
    app = FastAPI()
    error_handlers.install_error_handlers(app)
    app.mount("/web", StaticFiles(directory=tmp_path))
    known = ProxyMiddleware(app, TrustedProxies(()), prefix)
    transport = httpx.ASGITransport(known)

    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.get(prefix + path)

    assert answer.json()["type"] == f"{prefix}/guide/errors/not_found"


def test_an_error_is_one_line_in_the_log(client: httpx.Client, gateway: Service) -> None:
    gateway.output()
    client.get("/v1/images/unknown", headers={"X-Correlation-ID": "refused-once"})

    lines = [line for line in gateway.output().splitlines() if "refused-once" in line]

    assert len(lines) == 1
