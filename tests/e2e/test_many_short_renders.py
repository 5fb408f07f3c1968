"""Short renders on two workers: those that wait behind a long one go to the worker that is free."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from itertools import count

import httpx
import pytest
from PIL import Image

from tests.attempts import attempts
from tests.e2e.pictures import photograph
from tests.processes import HTTP, Service, faststream, metric, valkey, wait_until

pytestmark = pytest.mark.timeout(120)

CLIENTS = 16
LONG = 32  # operations that take some seconds together
HANDED_BACK = 'darkroom_dropped_total{reason="handed_back"}'


@dataclass
class Suite:
    gateway: Service
    workers: list[Service]
    clients: ThreadPoolExecutor

    def __post_init__(self) -> None:
        self.small, self.large = (self.upload(*size) for size in ((800, 600), (1200, 900)))
        self._widths = count(20)

    def upload(self, width: int, height: int) -> str:
        """Upload an image; return its URL."""
        body = photograph(width, height)
        answer = HTTP.post(f"{self.gateway.url}/v1/images", content=body)
        return f"{self.gateway.url}{answer.headers['location']}"

    def thumbnails(self, number: int) -> dict[int, Future[httpx.Response]]:
        """Ask for thumbnails that nobody has asked for, by their width."""
        widths = [next(self._widths) for _ in range(number)]
        return {
            width: self.clients.submit(
                HTTP.get, f"{self.small}/render?op=resize:width={width}&format=png", timeout=60
            )
            for width in widths
        }

    def long_render(self, radius: int) -> Future[httpx.Response]:
        params = {"op": [f"blur:{radius}"] * LONG, "format": "png"}
        return self.clients.submit(HTTP.get, f"{self.large}/render", params=params, timeout=60)


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    with ExitStack() as stack:
        url = str(stack.enter_context(valkey()).connection_url)
        gateway, *workers = (
            stack.enter_context(faststream(name, url, env={"DARKROOM_SLOTS": "1"}))
            for name in ("gateway", "imaging", "imaging")
        )
        yield Suite(gateway, workers, stack.enter_context(ThreadPoolExecutor(CLIENTS)))


def check(thumbnails: dict[int, Future[httpx.Response]]) -> None:
    """Check that each answer is the thumbnail that was asked for."""
    for width, future in thumbnails.items():
        with Image.open(BytesIO(future.result().raise_for_status().content)) as image:
            assert image.width == width


def wait_for_most(thumbnails: dict[int, Future[httpx.Response]]) -> None:
    """Wait for all but two: a worker keeps one or two behind those in its slots."""
    wait_until(lambda: sum(one.done() for one in thumbnails.values()) >= len(thumbnails) - 2)


def test_what_waits_behind_a_long_render_goes_to_another_worker(suite: Suite) -> None:
    def total(series: str) -> float:
        return sum(metric(worker, series) for worker in suite.workers)

    for number, attempt in enumerate(attempts()):
        # Workers take many requests after short ones.
        check(suite.thumbnails(200))
        before = total(HANDED_BACK)
        long = suite.long_render(radius=40 + number)
        wait_until(lambda: total("darkroom_slots_busy") == 1)
        thumbnails = suite.thumbnails(12)
        wait_for_most(thumbnails)
        in_time = not long.done()
        long.result().raise_for_status()
        check(thumbnails)
        with attempt:
            assert in_time
            assert total(HANDED_BACK) > before
