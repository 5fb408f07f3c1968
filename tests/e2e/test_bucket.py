"""Images in a bucket: fetched once by a worker, and no failure of the bucket loses anything."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from bench.s3_servers import CREDENTIALS, Moto
from tests.e2e.pictures import photograph
from tests.faulty_s3 import Fault, FaultyS3, faulty_s3
from tests.gateway.refusals import assert_problem
from tests.processes import HTTP, Service, faststream, valkey, wait_until
from tests.s3_needed import skip_without_s3

pytestmark = pytest.mark.timeout(180)


class Suite:
    """A gateway and a worker with a bucket."""

    def __init__(self, s3: FaultyS3, cache: Path, gateway: Service, imaging: Service) -> None:
        self.s3 = s3
        self.cache = cache
        self.gateway = gateway
        self.imaging = imaging
        self.url = gateway.url

    def upload(self, seed: int) -> httpx.Response:
        body = photograph(1500, 1100, seed=seed, quality=97)
        return HTTP.post(f"{self.url}/v1/images", content=body, timeout=60)

    def render(self, image: str, *, width: int, timeout: float = 30) -> httpx.Response:
        params: dict[str, str | float] = {"op": f"resize:width={width}", "timeout": timeout}
        return HTTP.get(
            f"{self.url}/v1/images/{image}/render",
            params=params,
            timeout=60,
        )


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    skip_without_s3()
    with ExitStack() as stack:
        redis_url = str(stack.enter_context(valkey()).connection_url)
        s3 = stack.enter_context(faulty_s3(stack.enter_context(Moto()).endpoint))
        cache: Path = tmp_path_factory.mktemp("cache")
        env = {
            **CREDENTIALS,
            "DARKROOM_STORE": s3.store("photos"),
            "DARKROOM_STORE_CACHE": str(cache),
            "DARKROOM_RETRY_BASE": "0.2",
            "DARKROOM_SLOTS": "1",
        }
        imaging = stack.enter_context(faststream("imaging", redis_url, env=env))
        gateway = stack.enter_context(faststream("gateway", redis_url, env=env))
        yield Suite(s3, cache, gateway, imaging)


@pytest.fixture(autouse=True)
def _well(suite: Suite) -> Iterator[None]:
    yield
    suite.s3.fault = Fault.NONE
    wait_until(lambda: suite.gateway.ready() and suite.imaging.ready(), seconds=30)


def test_ten_sizes_of_a_photograph_fetch_it_once(suite: Suite) -> None:
    image = suite.upload(1).json()["id"]
    assert suite.render(image, width=99).status_code == 200
    before, began = suite.s3.requests, time.monotonic()
    for width in range(100, 110):
        assert suite.render(image, width=width).status_code == 200
    # Each of the two processes asks every five seconds whether the bucket answers.
    checks = 4 + (time.monotonic() - began) * 4 / 5
    assert suite.s3.requests - before <= checks
    body = photograph(1500, 1100, seed=1, quality=97)
    assert HTTP.get(f"{suite.url}/v1/images/{image}").content == body
    part = HTTP.get(f"{suite.url}/v1/images/{image}", headers={"Range": "bytes=1000-1999"})
    assert part.content == body[1000:2000]


def test_a_damaged_copy_of_an_image_is_fetched_again(suite: Suite) -> None:
    image, other = suite.upload(6).json()["id"], suite.upload(7).json()["id"]
    assert suite.render(image, width=100).status_code == 200
    copies = list(suite.cache.glob("copies-*/*"))
    assert suite.render(other, width=100).status_code == 200  # the pool process has it no more
    assert copies
    for copy in copies:
        copy.chmod(0o600)
        copy.write_bytes(bytes(copy.stat().st_size))

    answer = suite.render(image, width=101)
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) <= 1
    assert suite.render(image, width=101).status_code == 200


def test_a_bucket_that_is_away_for_a_while(suite: Suite) -> None:
    cached = suite.upload(2).json()["id"]
    assert suite.render(cached, width=100).status_code == 200
    other = suite.upload(3).json()["id"]
    suite.s3.fault = Fault.AWAY
    began = time.monotonic()
    for answer in (suite.upload(4), HTTP.get(f"{suite.url}/v1/images/{other}")):
        problem = assert_problem(answer, 503, "unavailable")
        assert "bucket" in problem or "store" in problem
    assert time.monotonic() - began < 40
    assert suite.render(cached, width=101).status_code == 200, "its source is on the worker's disk"
    wait_until(lambda: not suite.gateway.ready(), seconds=30)
    health = HTTP.get(f"{suite.url}/health/ready").json()
    assert health["store"] != "ok"
    assert health["redis"] == "ok"

    # Its result is too large for Redis, so it has to go to the bucket.
    job = {"source": {"image": other}, "variants": [{"output": {"format": "png"}}]}
    accepted = HTTP.post(f"{suite.url}/v1/jobs", json=job)
    assert accepted.status_code == 202
    url = f"{suite.url}/v1/jobs/{accepted.json()['id']}"
    time.sleep(4)
    assert HTTP.get(url).json()["state"] in ("queued", "running")
    suite.s3.fault = Fault.NONE
    wait_until(lambda: HTTP.get(url).json()["state"] == "succeeded", seconds=60)
    assert suite.upload(4).status_code == 201


def test_a_slow_bucket_is_only_slow(suite: Suite) -> None:
    suite.s3.fault = Fault.SLOW
    image = suite.upload(5).json()["id"]
    assert suite.render(image, width=100).status_code == 200
    assert HTTP.get(f"{suite.url}/v1/images/{image}").status_code == 200


def test_a_bucket_that_refuses_a_tenth_of_the_requests(suite: Suite) -> None:
    suite.s3.fault = Fault.BUSY
    for seed in range(10, 22):
        uploaded = suite.upload(seed)
        assert uploaded.status_code == 201
        assert suite.render(uploaded.json()["id"], width=100).status_code == 200
