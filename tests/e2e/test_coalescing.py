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
    path: str

    def asked(self, operations: int, *, radius: int) -> list[Future[httpx.Response]]:
        """Ask for the same render many times, at each gateway in turn."""
        params = {"op": [f"blur:{radius}"] * operations, "format": "png"}

        def ask(number: int) -> httpx.Response:
            gateway = self.gateways[number % len(self.gateways)]
            return HTTP.get(gateway.url + self.path, params=params, timeout=40)

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
        answer = HTTP.post(f"{gateways[0].url}/v1/images", content=photograph(1200, 900, seed=1))
        yield Suite(gateways, workers, redis, f"{answer.headers['location']}/render")


def test_equal_requests_at_two_gateways_are_rendered_once(suite: Suite) -> None:
    answers = [one.result() for one in suite.asked(LONG, radius=40)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    rendered = [answer for answer in answers if "decode" in answer.headers["server-timing"]]
    statuses = {answer.headers["cache-status"] for answer in rendered}
    assert "darkroom; fwd=miss" in statuses
    works = {answer.headers["server-timing"].split(",", 1)[1] for answer in rendered}
    assert len(works) == 1, "all steps with a time are those of one render"


def test_a_worker_that_is_killed_leaves_its_render_to_another_within_seconds(suite: Suite) -> None:
    asked = suite.asked(LONG, radius=41)
    wait_until(lambda: suite.owner() is not None, every=0.01)
    owner = suite.owner()
    assert owner is not None
    owner.signal(signal.SIGKILL)
    killed = time.monotonic()
    answers = [one.result() for one in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert time.monotonic() - killed < 15, "as long as the claim lives, and the render takes"
