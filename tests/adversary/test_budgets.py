"""Budgets: a job ends by its deadline, and expensive work leaves room for short work."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.adversary.conftest import Record
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream, valkey, wait_until

PHOTO = encoded(scenery(3000, 2000), "JPEG")
SMALL = encoded(scenery(64, 48), "PNG")
BLURS = [{"op": "blur", "radius": 100}] * 4


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture(scope="module")
def gateway(redis_url: str) -> Iterator[Service]:
    """A gateway with a worker of two slots."""
    with (
        faststream("imaging", redis_url, env={"DARKROOM_SLOTS": "2"}),
        faststream("gateway", redis_url) as service,
    ):
        yield service


@pytest.fixture
def client(gateway: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=90) as client:
        yield client


@pytest.mark.serial
def test_a_job_of_64_variants_ends_at_its_deadline_with_the_results_it_has(
    client: httpx.Client, record_attack: Record
) -> None:
    image = client.post("/v1/images", content=PHOTO).json()["id"]
    quick = {"operations": [{"op": "resize", "width": 64}]}
    slow = [
        {"operations": [{"op": "blur", "radius": 90 + number / 10}, *BLURS]} for number in range(63)
    ]
    new = {"source": {"image": image}, "variants": [quick, *slow], "timeout": 3}
    started = time.monotonic()
    accepted = client.post("/v1/jobs", json=new)
    assert accepted.status_code == 202, accepted.text
    path = accepted.headers["location"]
    wait_until(lambda: client.get(path).status_code == 200, seconds=15)
    seconds, job = time.monotonic() - started, client.get(path).json()
    letters = client.get("/v1/dead-letters").json()["dead_letters"]
    record_attack(
        "a job of 64 variants, each of which takes seconds",
        "no limit but 60 s an attempt: 64 variants x 3 attempts x 60 s may hold a slot for 3.2 h",
        f"with a timeout of 3 s it ended after {seconds:.1f} s as {job['problem']['code']},"
        f" with {len(job['results'])} results",
    )
    assert seconds < 6
    assert (job["state"], job["problem"]["code"]) == ("failed", "deadline_exceeded")
    assert 1 <= len(job["results"]) < 64
    assert client.get(f"{path}/results/0").status_code == 200
    assert [letter["job"] for letter in letters] == [job["id"]]
    # The slots are free again.
    assert client.post("/v1/render", content=SMALL, timeout=5).status_code == 200
