"""Images on a disk: nothing is lost, nothing dangles, and a full disk is said."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from services.runtime.storage.records import Place, path_of
from tests.e2e.pictures import photograph
from tests.gateway.refusals import assert_problem
from tests.processes import HTTP, Service, faststream, valkey, wait_until
from tests.small_disk import disk_of

pytestmark = pytest.mark.timeout(180)

LARGE = photograph(2400, 1800, quality=97)  # more than Redis keeps
SLOW = {"op": ["resize:width=4000,enlarge=true", *["blur:100"] * 6], "format": "png"}


class Suite:
    """Two gateways and a worker with one folder."""

    def __init__(self, folder: Path, redis_url: str, gateways: list[Service]) -> None:
        self.folder = folder
        self.redis = Redis.from_url(redis_url)
        self.gateways = gateways
        self.url = gateways[0].url

    def upload(self, body: bytes, *, gateway: int = 0) -> httpx.Response:
        return HTTP.post(f"{self.gateways[gateway].url}/v1/images", content=body, timeout=30)

    def render(self, image: str, **query: Any) -> httpx.Response:
        params = {"op": "grayscale", **query}
        url = f"{self.url}/v1/images/{image}/render"
        return HTTP.get(url, params=params, timeout=70)

    def files(self) -> set[Path]:
        """Return the files of images and renditions."""
        return {path for path in (self.folder / "default").rglob("*") if path.is_file()}


def services(stack: ExitStack, redis_url: str, folder: Path, gateways: int = 2) -> Suite:
    env = {"DARKROOM_STORE": f"file://{folder}", "DARKROOM_SLOTS": "1"}
    stack.enter_context(faststream("imaging", redis_url, env=env))
    started = [
        stack.enter_context(faststream("gateway", redis_url, env=env)) for _ in range(gateways)
    ]
    return Suite(folder, redis_url, started)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with ExitStack() as stack:
        server = stack.enter_context(valkey())
        folder = tmp_path_factory.mktemp("disk") / "store"
        yield services(stack, str(server.connection_url), folder)


def test_bytes_lie_on_the_disk_and_redis_has_little(suite: Suite) -> None:
    assert len(LARGE) > 300_000
    image = suite.upload(LARGE).json()["id"]
    rendered = suite.render(image, format="png")
    assert rendered.status_code == 200

    kept = suite.folder / path_of(Place.KEPT, image)
    assert kept.read_bytes() == LARGE
    rendition = suite.folder / path_of(Place.RENDITIONS, rendered.headers["etag"].strip('"'))
    assert rendition.read_bytes() == rendered.content
    record = suite.redis.memory_usage(f"darkroom:image:{image}", samples=0)
    assert isinstance(record, int)
    assert record <= 1400
    assert HTTP.get(f"{suite.url}/v1/images/{image}").content == LARGE
    again = suite.render(image, format="png")
    assert (again.content, again.headers["cache-status"]) == (rendered.content, "darkroom; hit")


def test_two_gateways_that_store_the_same_bytes_at_once_store_them_once(suite: Suite) -> None:
    body = photograph(1500, 1100, seed=2, quality=97)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: suite.upload(body, gateway=n % 2), range(24)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    image = sha256(body).hexdigest()
    assert {answer.json()["id"] for answer in answers} == {image}
    assert sum(image in path.name for path in suite.files()) == 2, "the bytes and the sidecar"
    assert not list((suite.folder / "tmp").iterdir())
    assert suite.render(image).status_code == 200


def test_an_image_that_is_deleted_during_a_render_leaves_nothing(suite: Suite) -> None:
    image = suite.upload(photograph(1200, 900, seed=3, quality=97)).json()["id"]
    before = suite.files()
    with ThreadPoolExecutor(1) as pool:
        rendering = pool.submit(suite.render, image, **SLOW, timeout=60)
        wait_until(lambda: suite.redis.xpending("imaging.render:stream", "imaging")["pending"])
        assert HTTP.delete(f"{suite.gateways[1].url}/v1/images/{image}").status_code == 204
        assert_problem(rendering.result(), 410, "gone")
    assert suite.files() <= before
    assert not any(image in path.name for path in suite.files())
    assert_problem(suite.render(image), 404, "not_found")


def test_a_job_whose_image_is_deleted_ends_as_gone(suite: Suite) -> None:
    image = suite.upload(photograph(1200, 900, seed=4, quality=97)).json()["id"]
    blocker = {"op": SLOW["op"], "format": "png"}
    variants = {"source": {"image": image}, "variants": [{"operations": [{"op": "grayscale"}]}]}
    url = f"{suite.url}/v1/jobs"
    blocking = HTTP.post(url, params=blocker, content=photograph(seed=5)).json()["id"]
    job = HTTP.post(url, json=variants).json()["id"]
    assert HTTP.delete(f"{suite.url}/v1/images/{image}").status_code == 204

    def ended() -> bool:
        return HTTP.get(f"{url}/{job}").json()["state"] not in ("queued", "running")

    wait_until(ended, seconds=60)
    HTTP.delete(f"{url}/{blocking}")  # the next test needs the worker's only slot
    found = HTTP.get(f"{url}/{job}").json()
    assert (found["state"], found["problem"]["code"]) == ("failed", "gone")


def test_a_flipped_byte_of_an_original_is_found_by_a_worker(suite: Suite) -> None:
    body = photograph(1500, 1100, seed=6, quality=97)
    kept = suite.upload(body)
    assert kept.status_code == 201, kept.text
    image = kept.json()["id"]
    path = suite.folder / path_of(Place.KEPT, image)
    flipped = bytearray(body)
    flipped[len(body) // 2] ^= 1
    path.write_bytes(flipped)

    problem = assert_problem(suite.render(image), 410, "gone")
    assert "damaged" in problem
    assert_problem(suite.render(image, op="flip"), 410, "gone")
    assert suite.upload(body).status_code in (200, 201)
    assert suite.render(image).status_code == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    with disk_of(tmp_path / "small", mebibytes=8) as folder:
        yield folder


def test_a_full_disk_is_507_and_everything_goes_on_when_there_is_room(small_disk: Path) -> None:
    """In the middle of a batch of uploads and of jobs."""
    with ExitStack() as stack:
        server = stack.enter_context(valkey())
        suite = services(stack, str(server.connection_url), small_disk / "store", gateways=1)
        filling = small_disk / "filling"
        filling.write_bytes(bytes(5 << 20))
        bodies = [
            photograph(900, 700, seed=seed, quality=97) + os.urandom(500_000) for seed in range(12)
        ]
        answers = [suite.upload(body) for body in bodies]
        stored = [one.json()["id"] for one in answers if one.status_code == 201]
        refused = [one for one in answers if one.status_code != 201]
        assert stored
        assert refused
        for answer in refused:
            assert_problem(answer, 507, "store_full")
        for image in stored:
            assert HTTP.get(f"{suite.url}/v1/images/{image}").status_code == 200
            assert suite.render(image).status_code == 200, "small results fit into Redis"
        assert not list((suite.folder / "tmp").iterdir())

        filling.unlink()
        wait_until(lambda: suite.upload(bodies[-1]).status_code in (200, 201))
        suite.redis.close()
