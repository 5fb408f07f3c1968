"""Queries: invalid operations, malformed values, unknown parameters."""

import httpx
import pytest

from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery

PNG = encoded(scenery(40, 30), "PNG")


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
        ("format=qoi", "format"),
        ("format=", "format"),
        ("quality=0", "quality"),
        ("quality=101", "quality"),
        ("quality=best", "quality"),
    ],
    ids=lambda text: text[:40],
)
def test_an_invalid_operation_is_refused_by_name(
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
def test_a_malformed_value_is_refused(client: httpx.Client, query: str) -> None:
    assert_problem(client.post(f"/v1/render?{query}", content=PNG), 422, "invalid_request")


def test_unknown_parameters_are_refused_on_every_documented_route(
    client: httpx.Client, image: str
) -> None:
    for answer, known in (
        (client.get(f"{image}/info?gsp=true"), "did you mean 'gps'?"),
        (client.post("/v1/images?format=webp", content=PNG), "there are: ttl, label."),
        (client.get(f"{image}?op=flip"), "there are none."),
    ):
        assert_problem(answer, 422, "invalid_request")
        assert known in answer.json()["detail"]
    assert client.get("/?utm_source=x").status_code == 200, "the page is for browsers"
    assert client.get("/health/ready?probe=1").status_code == 200


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("quailty=40", "'quailty' is not a parameter here; did you mean 'quality'?"),
        ("op=flip&Format=webp", "'Format' is not a parameter here; did you mean 'format'?"),
        ("op=flip&width=20", "'width' is not a parameter here; there are: "),
        ("op=flip&" + "z" * 5000 + "=1", "is not a parameter here; there are: "),
    ],
)
def test_an_unknown_parameter_is_refused_by_name(
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
