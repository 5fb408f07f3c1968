"""Equal renders on two gateways and two workers, as processes."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
from redis import Redis

from services.runtime.redis import keys
from tests.attempts import attempts
from tests.e2e.pictures import photograph
from tests.processes import HTTP, Service, faststream, valkey, wait_until

pytestmark = pytest.mark.timeout(120)

ENV = {"DARKROOM_SLOTS": "1", "DARKROOM_HEARTBEAT_INTERVAL": "0.3", "DARKROOM_HEARTBEAT_TTL": "1.5"}
CLIENTS = 24
LONG = 12  # operations that take a second together


@dataclass
class Suite:
    gateways: list[Service]
    workers: dict[int, Service]
    redis: Redis
    image: str = ""

    def upload(self, *, seed: int) -> str:
        """Upload an image; return its path."""
        body = photograph(1200, 900, seed=seed)
        answer = HTTP.post(f"{self.gateways[0].url}/v1/images", content=body)
        return str(answer.headers["location"])

    def asked(
        self, *, radius: int, image: str = "", operations: int = LONG
    ) -> list[Future[httpx.Response]]:
        """Ask for the same render many times, at each gateway in turn."""
        params = {"op": [f"blur:{radius}"] * operations, "format": "png"}

        def ask(number: int) -> httpx.Response:
            gateway = self.gateways[number % len(self.gateways)]
            url = f"{gateway.url}{image or self.image}/render"
            return HTTP.get(url, params=params, timeout=40)

        pool = ThreadPoolExecutor(CLIENTS)
        futures = [pool.submit(ask, number) for number in range(CLIENTS)]
        pool.shutdown(wait=False)
        return futures

    def owner(self) -> Service | None:
        """Return the worker that has claimed a render."""
        for name in self.redis.scan_iter(keys.render_claim("*")):
            # The value is the worker's name: host, process id and some random digits.
            if (worker := self.redis.get(name)) is not None:
                return self.workers[int(str(worker).split("-")[-2])]
        return None


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    with ExitStack() as stack:
        url = str(stack.enter_context(valkey()).connection_url)
        redis = stack.enter_context(Redis.from_url(url, decode_responses=True))
        started = [
            stack.enter_context(faststream(name, url, env=ENV, ready=False))
            for name in ("gateway", "gateway", "imaging", "imaging")
        ]
        for service in started:
            service.wait_ready()
        gateways, workers = started[:2], {one.process.pid: one for one in started[2:]}
        suite = Suite(gateways, workers, redis)
        suite.image = suite.upload(seed=1)
        yield suite


def test_equal_requests_at_two_gateways_are_rendered_once(suite: Suite) -> None:
    answers = [one.result() for one in suite.asked(radius=40)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    rendered = [answer for answer in answers if "decode" in answer.headers["server-timing"]]
    statuses = {answer.headers["cache-status"] for answer in rendered}
    assert "darkroom; fwd=miss" in statuses
    works = {answer.headers["server-timing"].split(",", 1)[1] for answer in rendered}
    assert len(works) == 1, "all steps with a time are those of one render"


def test_a_purge_is_the_end_of_the_render_for_all(suite: Suite) -> None:
    for number, attempt in enumerate(attempts()):
        image = suite.upload(seed=20 + number)
        asked = suite.asked(radius=40, image=image)
        wait_until(lambda: suite.owner() is not None, every=0.01)
        assert HTTP.delete(suite.gateways[1].url + image).status_code == 204
        statuses = {one.result().status_code for one in asked}
        with attempt:  # on a busy machine, the render may end before the purge
            assert statuses == {410}


def test_a_worker_that_is_killed_leaves_its_render_to_another_within_seconds(suite: Suite) -> None:
    asked = suite.asked(radius=41)
    wait_until(lambda: suite.owner() is not None, every=0.01)
    owner = suite.owner()
    assert owner is not None
    owner.signal(signal.SIGKILL)
    killed = time.monotonic()
    answers = [one.result() for one in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert time.monotonic() - killed < 15, "as long as the claim lives, and the render takes"


def test_a_gateway_that_is_killed_takes_nothing_from_the_clients_of_another(suite: Suite) -> None:
    asked = suite.asked(radius=42, operations=32)
    wait_until(lambda: suite.owner() is not None, every=0.01)
    suite.gateways[0].signal(signal.SIGKILL)
    mine, others = asked[::2], asked[1::2]
    assert {one.result().status_code for one in others} == {200}
    assert all(isinstance(one.exception(), httpx.TransportError) for one in mine)
