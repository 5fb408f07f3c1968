"""A store that is away for a while, a Redis that has lost everything, and a restart."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.e2e.pictures import photograph
from tests.gateway.refusals import assert_problem
from tests.processes import HTTP, ROOT, Service, faststream, valkey, wait_until

pytestmark = pytest.mark.timeout(180)

BODIES = [photograph(900 + 10 * seed, 700, seed=seed, quality=97) for seed in range(3)]


class Suite:
    """A worker, and a gateway that can be started again, with images in a folder."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.redis_url = redis_url
        self.env = {"DARKROOM_STORE": f"file://{folder}", "DARKROOM_SLOTS": "1"}

    def upload(self, body: bytes) -> str:
        answer = HTTP.post(f"{self.url}/v1/images", content=body)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    def render(self, image: str, op: str = "grayscale") -> httpx.Response:
        return HTTP.get(f"{self.url}/v1/images/{image}/render", params={"op": op}, timeout=30)

    def listed(self) -> list[Any]:
        """Return the list of images, without what a worker finds out again."""
        images = HTTP.get(f"{self.url}/v1/images").json()["images"]
        return [{**one, "width": None, "height": None} for one in images]

    def readiness(self) -> Any:
        return HTTP.get(f"{self.url}/health/ready").json()

    def use(self, gateway: Service) -> None:
        self.url = gateway.url


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    folder = tmp_path_factory.mktemp("disk") / "store"
    with valkey() as server:
        suite = Suite(folder, str(server.connection_url))
        with faststream("imaging", suite.redis_url, env=suite.env):
            yield suite


@pytest.fixture
def gateway(suite: Suite) -> Iterator[None]:
    with faststream("gateway", suite.redis_url, env=suite.env) as started:
        suite.use(started)
        yield


@pytest.mark.usefixtures("gateway")
def test_a_store_that_is_away_is_503_and_jobs_wait_for_it(suite: Suite) -> None:
    image = suite.upload(BODIES[0])
    away = suite.folder.with_name("away")
    suite.folder.rename(away)
    suite.folder.write_bytes(b"no folder")
    # A worker keeps the files that it has just read open for a moment.
    renders = (suite.render(image, f"rotate:{degrees}") for degrees in count(1))
    refused = next(answer for answer in renders if answer.status_code != 200)
    assert_problem(refused, 503, "unavailable")
    assert int(refused.headers["retry-after"]) > 0
    wait_until(lambda: suite.readiness()["store"] != "ok", seconds=10)
    assert suite.readiness()["redis"] == "ok"
    variants = {"source": {"image": image}, "variants": [{"operations": [{"op": "sepia"}]}]}
    job = HTTP.post(f"{suite.url}/v1/jobs", json=variants).json()["id"]

    def state() -> Any:
        return HTTP.get(f"{suite.url}/v1/jobs/{job}").json()

    wait_until(lambda: state()["attempts"] == 0 and state()["state"] == "queued")
    suite.folder.unlink()
    away.rename(suite.folder)
    wait_until(lambda: state()["state"] == "succeeded", seconds=30)
    assert state()["attempts"] == 1, "an outage is no attempt"
    wait_until(lambda: suite.readiness()["status"] == "ready", seconds=10)
    assert suite.render(image, "flip").status_code == 200


@pytest.mark.usefixtures("gateway")
def test_with_redis_lost_every_kept_image_is_listed_and_rendered_again(suite: Suite) -> None:
    images = [suite.upload(body) for body in BODIES]
    before = suite.listed()
    assert len(before) >= len(images)
    with Redis.from_url(suite.redis_url) as redis:
        redis.flushall()
    assert suite.listed() == []
    command = [sys.executable, "-m", "services.runtime.storage.command", "rebuild"]
    env = {**os.environ, **suite.env, "REDIS_URL": suite.redis_url}
    subprocess.run(command, cwd=ROOT, env=env, check=True)

    assert suite.listed() == before
    wait_until(lambda: suite.render(images[0], "rotate:90").status_code == 200)
    for image in images:
        assert suite.render(image, "rotate:90").status_code == 200
