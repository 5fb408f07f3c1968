"""A whole suite with limits: what its answers say is left after each kind of request."""

import re
from collections.abc import Iterator
from io import BytesIO
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from tests.gateway.documented import assert_documented
from tests.processes import Service, faststream

LIMITS = {
    # Ten megapixels at once, of which hardly any come back during a test.
    "DARKROOM_RATE_MEGAPIXELS": "0.001",
    "DARKROOM_RATE_MEGAPIXELS_WINDOW": "10000",
    "DARKROOM_RATE_CALLS": "1000",
}


@pytest.fixture(scope="module")
def limited(imaging: Service, redis_url: str) -> Iterator[httpx.Client]:
    """A client of a gateway with limits."""
    with (
        faststream("gateway", redis_url, env=LIMITS) as gateway,
        httpx.Client(
            base_url=gateway.url, timeout=30, event_hooks={"response": [assert_documented]}
        ) as client,
    ):
        yield client


def megapixel() -> bytes:
    """An image of one megapixel that nobody has sent before."""
    file = BytesIO()
    Image.new("L", (1000, 1000)).save(file, "PNG")
    return file.getvalue() + uuid4().bytes


def left(answer: httpx.Response) -> int:
    found = re.search(r'"megapixels";r=(\d+)', answer.headers["RateLimit"])
    assert found
    return int(found[1])


def test_renders_and_jobs_cost_megapixels_and_stored_results_none(limited: httpx.Client) -> None:
    data = megapixel()
    uploaded = limited.post("/v1/images", content=data)
    address = uploaded.headers["Location"]
    assert left(uploaded) == 10
    assert uploaded.headers["RateLimit-Policy"].endswith(
        '"megapixels";q=10;qu="megapixels";w=10000'
    )

    small = {"op": "resize:width=10"}
    assert left(limited.get(f"{address}/render", params=small)) == 9
    assert left(limited.get(f"{address}/render", params=small)) == 9  # stored
    assert left(limited.get(f"{address}/render", params=small)) == 9  # in memory

    enlarging = {"op": "resize:width=1414,enlarge=true"}
    assert left(limited.get(f"{address}/render", params=enlarging)) == 7

    sent = limited.post("/v1/render", params=small, content=megapixel())
    assert (sent.status_code, left(sent)) == (200, 6)

    variants = [{"operations": [{"op": "resize", "width": width}]} for width in (20, 30)]
    job = {"source": {"image": address.rpartition("/")[2]}, "variants": variants}
    once = {"Idempotency-Key": uuid4().hex}
    for _ in range(2):  # the second one is the same job, and paid
        assert limited.post("/v1/jobs", json=job, headers=once).status_code == 202
    assert left(limited.get("/v1/images")) == 4

    refused = limited.get(f"{address}/render", params={"op": "resize:width=2500,enlarge=true"})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 1000
    never = limited.get(f"{address}/render", params={"op": "resize:width=4000,enlarge=true"})
    assert (never.status_code, never.json()["code"]) == (429, "quota_exceeded")
    assert "Retry-After" not in never.headers
    assert left(limited.get(f"{address}/info")) == 3


def test_a_job_for_an_image_that_is_not_there_costs_nothing(limited: httpx.Client) -> None:
    address = limited.post("/v1/images", content=megapixel()).headers["Location"]
    image, once = address.rpartition("/")[2], {"Idempotency-Key": uuid4().hex}
    variants = [{"operations": [{"op": "resize", "width": 20}]}]
    job = {"source": {"image": image}, "variants": variants}
    before = left(limited.get("/v1/images"))
    accepted = limited.post("/v1/jobs", json=job, headers=once)
    assert limited.delete(address).status_code == 204

    missing = limited.post("/v1/jobs", json=job)
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    repeated = limited.post("/v1/jobs", json=job, headers=once)
    assert (repeated.status_code, repeated.json()["id"]) == (202, accepted.json()["id"])
    assert left(limited.get("/v1/images")) == before - 1
