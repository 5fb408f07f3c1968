"""Refusals: every one a problem document (RFC 9457), whatever was wrong."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from contracts.errors import Code, Failure
from services.gateway.http import error_handlers, problems
from services.gateway.middleware.correlation import CorrelationMiddleware
from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service

PNG = encoded(scenery(40, 30), "PNG")
NOWHERE = "0" * 64


@pytest.fixture(scope="module")
def image(client: httpx.Client) -> str:
    return str(client.post("/v1/images", content=PNG).headers["location"])


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("op=melt", "melt"),
        ("op=", "''"),
        ("op=resize", "resize"),
        ("op=resize:width=0", "width"),
        ("op=resize:width=-1", "width"),
        ("op=resize:width=1e400", "width"),
        ("op=resize:width=" + "9" * 5000, "width"),
        ("op=resize:width=20000", "width"),
        ("op=resize:width=1.5", "width"),
        ("op=resize:width=NaN", "width"),
        ("op=resize:width=10,width=10", "width"),
        ("op=resize:10,20", "resize"),
        ("op=resize:width=10,fit=melt", "fit"),
        ("op=resize:depth=10", "depth"),
        ("op=rotate", "degrees"),
        ("op=rotate:", "degrees"),
        ("op=rotate:degrees=inf", "degrees"),
        ("op=rotate:op=blur", "op"),
        ("op=blur:radius=nan", "radius"),
        ("op=blur:radius=1e309", "radius"),
        ("op=blur:radius=0", "radius"),
        ("op=adjust:contrast=-Infinity", "contrast"),
        ("op=grayscale:1", "grayscale"),
        ("op=flip:%00", "axis"),
        ("op=%00", "not an operation"),
        ("op=%FF%FE", "not an operation"),
        ("op=__class__", "not an operation"),
        ("op=crop:left=30,top=0,width=20,height=20", "crop"),
        ("&".join(["op=flip"] * 33), "operations"),
        ("format=bmp", "format"),
        ("format=", "format"),
        ("quality=0", "quality"),
        ("quality=101", "quality"),
        ("quality=best", "quality"),
    ],
    ids=lambda text: text[:40],
)
def test_an_operation_that_can_t_be_is_named(
    client: httpx.Client, image: str, query: str, named: str
) -> None:
    for answer in (
        client.get(f"{image}/render?{query}"),
        client.post(f"/v1/render?{query}", content=PNG),
    ):
        assert named in assert_problem(answer, 422, "invalid_operation")


@pytest.mark.parametrize(
    "query",
    [
        "timeout=0",
        "timeout=-1",
        "timeout=nan",
        "timeout=inf",
        "timeout=soon",
        "transport=pigeon",
        "transport=%00",
        "op=flip&" + "x" * 10_000,
    ],
    ids=lambda text: text[:40],
)
def test_a_query_that_can_t_be_understood_is_refused(client: httpx.Client, query: str) -> None:
    assert_problem(client.post(f"/v1/render?{query}", content=PNG), 422, "invalid_request")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("quailty=40", "'quailty' is not a parameter here; did you mean 'quality'?"),
        ("op=flip&Format=webp", "'Format' is not a parameter here; did you mean 'format'?"),
        ("op=flip&width=20", "'width' is not a parameter here; there are: "),
        ("op=flip&" + "z" * 5000 + "=1", "is not a parameter here; there are: "),
    ],
)
def test_a_parameter_that_is_not_known_is_named(
    client: httpx.Client, image: str, query: str, named: str
) -> None:
    for answer in (
        client.get(f"{image}/render?{query}"),
        client.post(f"/v1/render?{query}", content=PNG),
        client.post(f"/v1/jobs?{query}", content=PNG),
    ):
        assert_problem(answer, 422, "invalid_request")
        assert named in answer.json()["detail"]
        assert len(answer.json()["detail"]) < 300


def test_where_there_are_few_parameters_others_are_refused_too(
    client: httpx.Client, image: str
) -> None:
    for answer, known in (
        (client.get(f"{image}/info?gsp=true"), "did you mean 'gps'?"),
        (client.post("/v1/images?format=webp", content=PNG), "there are none."),
        (client.get(f"{image}?op=flip"), "there are none."),
    ):
        assert_problem(answer, 422, "invalid_request")
        assert known in answer.json()["detail"]
    assert client.get("/?utm_source=x").status_code == 200, "the page is for browsers"
    assert client.get("/health/ready?probe=1").status_code == 200


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
def test_what_is_not_there_is_404(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/render", "POST"),
        ("GET", "/v1/images", "POST"),
        ("PUT", "/v1/images", "POST"),
        ("POST", f"/v1/images/{NOWHERE}", "GET, HEAD"),
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
def test_another_method_is_told_which_ones_are_allowed(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)

    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


def test_what_nobody_foresaw_is_a_500_and_one_line_in_the_log() -> None:
    app = FastAPI()
    error_handlers.install_error_handlers(app)

    @app.get("/")
    async def broken() -> None:
        raise ZeroDivisionError("nobody foresaw it")

    # What the application raised on, the server would log again.
    transport = httpx.ASGITransport(CorrelationMiddleware(app), raise_app_exceptions=True)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/")

    with capture_logs() as lines:
        answer = asyncio.run(ask())

    detail = assert_problem(answer, 500, "internal")
    assert "nobody foresaw it" not in detail
    [line] = lines
    assert (line["event"], line["log_level"], line["path"]) == ("unhandled", "error", "/")
    assert isinstance(line["exc_info"], ZeroDivisionError)


def test_every_code_has_a_status_and_a_title() -> None:
    assert set(problems.STATUS) == set(problems.TITLES) == set(Code)


def test_every_503_says_when_to_come_back() -> None:
    for code in (code for code, status in problems.STATUS.items() if status == 503):
        failure = Failure(code=code, detail="x")

        assert problems.problem(failure).headers["retry-after"] == "1"


def test_a_refusal_is_one_line_in_the_log(client: httpx.Client, gateway: Service) -> None:
    gateway.output()
    client.get("/v1/images/unknown", headers={"X-Correlation-ID": "refused-once"})

    lines = [line for line in gateway.output().splitlines() if "refused-once" in line]

    assert len(lines) == 1
