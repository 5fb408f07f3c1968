"""Budgets: a job ends by its deadline, and expensive work leaves room for short work."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from tests.adversary.conftest import Record
from tests.attempts import attempts
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream, valkey, wait_until

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
    image = client.post("/v1/images", content=encoded(scenery(3000, 2000), "JPEG")).json()["id"]
    quick = {"operations": [{"op": "resize", "width": 64}]}
    slow = [
        {"operations": [{"op": "blur", "radius": 90 + number / 10}, *BLURS]} for number in range(63)
    ]
    new = {"source": {"image": image}, "variants": [quick, *slow], "timeout": 3}
    for number, attempt in enumerate(attempts(), start=1):
        started = time.monotonic()
        accepted = client.post("/v1/jobs", json=new)
        assert accepted.status_code == 202, accepted.text
        path = accepted.headers["location"]
        wait_until(partial(has_failed, client, path), seconds=15)
        seconds, job = time.monotonic() - started, client.get(path).json()
        letters = client.get("/v1/dead-letters").json()["dead_letters"]
        assert (job["state"], job["problem"]["code"]) == ("failed", "deadline_exceeded")
        assert len(letters) == number
        assert letters[0]["job"] == job["id"]
        with attempt:
            assert seconds < 6
            assert 1 <= len(job["results"]) < 64
    record_attack(
        "a job of 64 variants, each of which takes seconds",
        "no limit but 60 s an attempt: 64 variants x 3 attempts x 60 s may hold a slot for 3.2 h",
        f"with a timeout of 3 s it ended after {seconds:.1f} s as {job['problem']['code']},"
        f" with {len(job['results'])} results",
    )
    assert client.get(f"{path}/results/0").status_code == 200
    # The slots are free again.
    assert client.post("/v1/render", content=SMALL, timeout=20).status_code == 200


def has_failed(client: httpx.Client, path: str) -> bool:
    return client.get(path).status_code == 200


MANY_BLURS = [("op", "blur:100")] * 32


@pytest.fixture(scope="module")
def huge() -> bytes:
    """A JPEG of 100 megapixels."""
    return encoded(scenery(1000, 1000).resize((10_000, 10_000)), "JPEG")


@pytest.mark.serial
def test_two_renders_of_32_blurs_leave_a_slot_to_small_renders(
    client: httpx.Client, huge: bytes, record_attack: Record
) -> None:
    """They take a minute, so the test ends by leaving: that stops them."""
    image = client.post("/v1/images", content=huge).json()["id"]
    for attempt in attempts():
        with ThreadPoolExecutor(2) as threads:
            for _ in range(2):
                threads.submit(render, client, f"/v1/images/{image}/render", (*MANY_BLURS, *LIMIT))
            time.sleep(1)  # they are in the worker by then
            times, statuses = small_renders(client)
        with attempt:
            assert statuses == {200: 20}
    record_attack(
        "2 renders of 32 blurs on 100 megapixels, and 20 small renders; a worker of two slots",
        "20 of 20 small renders were 504",
        f"{statuses[200]} of 20 small renders were 200, the slowest after {max(times):.1f} s",
    )


@pytest.mark.serial
def test_heavy_jobs_leave_a_slot_to_small_jobs(
    client: httpx.Client, huge: bytes, record_attack: Record
) -> None:
    image = client.post("/v1/images", content=huge).json()["id"]
    blurs = [{"op": "blur", "radius": 100}] * 32
    heavy = {"source": {"image": image}, "variants": [{"operations": blurs}], "timeout": 15}
    jobs = [
        client.post("/v1/jobs", json=heavy, headers={"X-Submitter": "greedy"}).headers["location"]
        for _ in range(6)
    ]
    time.sleep(1)  # the first ones are in the worker by then
    small = [
        client.post("/v1/jobs", content=SMALL, params={"op": f"blur:{number + 1}"}).headers[
            "location"
        ]
        for number in range(20)
    ]
    started = time.monotonic()
    wait_until(lambda: all(client.get(job).status_code == 302 for job in small), seconds=10)
    seconds = time.monotonic() - started
    open_jobs = Counter(client.get(job).json()["state"] for job in jobs)
    for job in jobs:
        client.delete(job)
    record_attack(
        "6 jobs of 32 blurs on 100 megapixels, and 20 small jobs; a worker of two slots",
        "no small job had ended after 60 s",
        f"all small jobs had ended after {seconds:.1f} s, while of the 6 {dict(open_jobs)}",
    )


LIMIT = (("timeout", "6"),)


def render(client: httpx.Client, path: str, query: tuple[tuple[str, str], ...]) -> int:
    return client.get(path, params=query, headers={"Cache-Control": "no-cache"}).status_code


def small_renders(client: httpx.Client) -> tuple[list[float], Counter[int]]:
    """Send 20 small renders at once; return the times and the statuses."""

    def send(number: int) -> tuple[float, int]:
        started = time.monotonic()
        query = {"op": f"blur:{number + 1}", "timeout": "4"}
        status = client.post("/v1/render", params=query, content=SMALL).status_code
        return time.monotonic() - started, status

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(send, range(20)))
    return [seconds for seconds, _ in answers], Counter(status for _, status in answers)
