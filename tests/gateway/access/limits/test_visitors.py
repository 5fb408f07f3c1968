"""Visitors without a key, who leave or are in a hurry: what they cost the day of a project."""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from services.gateway.access.caller import EVERYBODY, Caller
from services.gateway.access.signatures import ANONYMOUS_SCOPES
from services.gateway.http.prefer import Preference
from services.gateway.routes.parameters import seconds_to_wait
from tests.gateway.access.gateways import ADMIN_KEY, bearer, settings_of
from tests.gateway.access.signed.sites import PRESETS
from tests.processes import HTTP, Service, faststream, wait_until

PIXELS = 16  # megapixels
VISITOR = Caller(scopes=ANONYMOUS_SCOPES)


@pytest.fixture(scope="module")
def service(
    imaging: Service, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A gateway with public presets, whose projects have some megapixels a day."""
    presets: Path = tmp_path_factory.mktemp("visitors") / "presets.toml"
    presets.write_text(PRESETS)
    env = {
        "DARKROOM_ACCESS": "keys",
        "DARKROOM_ANONYMOUS": "presets",
        "DARKROOM_ADMIN_KEY": ADMIN_KEY,
        "DARKROOM_PRESETS": str(presets),
        "DARKROOM_DAILY_MEGAPIXELS": "1000",
    }
    with faststream("gateway", redis_url, env=env) as running:
        yield running


@pytest.fixture(scope="module")
def image(service: Service) -> str:
    """The address of an image whose render takes longer than visitors wait."""
    file = BytesIO()
    Image.effect_noise((PIXELS * 1000, 1000), 50).save(file, "PNG", compress_level=1)
    url = f"{service.url}/v1/images"
    stored = httpx.post(url, content=file.getvalue(), headers=bearer(ADMIN_KEY), timeout=20)
    stored.raise_for_status()
    return str(stored.headers["location"])


def left_today(answer: httpx.Response) -> int:
    found = re.search(r'"day";r=(\d+)', answer.headers["ratelimit"])
    assert found
    return int(found[1])


def calls_waiting(service: Service) -> float:
    """Return how many calls to workers have no answer yet."""
    metrics = HTTP.get(f"{service.url}/metrics", headers=bearer(ADMIN_KEY)).text
    [waiting] = re.findall(r"^darkroom_calls_waiting (\S+)$", metrics, re.MULTILINE)
    return float(waiting)


def leave(service: Service, target: str) -> None:
    """Ask for an image, and leave before it is there, but once its render is on its way."""

    def is_rendered_or_there() -> bool:
        with suppress(TimeoutError):
            return bool(connection.recv(1))
        return calls_waiting(service) > 0

    fields = "Host: 127.0.0.1\r\nAccept: */*\r\n"
    with socket.create_connection(("127.0.0.1", httpx.URL(service.url).port or 80)) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\n{fields}\r\n".encode())
        connection.settimeout(0.03)
        wait_until(is_rendered_or_there, every=0)


def test_visitors_who_leave_again_and_again_cost_one_render(service: Service, image: str) -> None:
    with httpx.Client(base_url=service.url, timeout=20) as visitor:
        info = f"{image}/info"
        before = left_today(visitor.get(info, headers=bearer(ADMIN_KEY)))
        for _ in range(3):
            leave(service, f"{image}/render?preset=card&w=640&h=240&timeout=0.01")
        shown = visitor.get(f"{image}/render?preset=card&w=640&h=240", headers={"Accept": "*/*"})
        assert shown.status_code == 200
        assert re.search("hit|collapsed", shown.headers["cache-status"])
        assert before - left_today(visitor.get(info, headers=bearer(ADMIN_KEY))) == PIXELS


def test_visitors_can_not_wait_for_less_than_the_default(service: Service, image: str) -> None:
    url = f"{service.url}{image}/render?preset=card&w=320&h=240&timeout=0.001"
    assert httpx.get(url, timeout=20).status_code == 200


@pytest.mark.parametrize(
    ("caller", "timeout", "wait", "seconds"),
    [
        (VISITOR, 0.01, None, 10),
        (VISITOR, None, 1, 10),
        (VISITOR, 20, None, 20),
        (VISITOR, 1000, None, 60),
        (EVERYBODY, 0.01, None, 0.01),
        (Caller(key="a"), None, 1, 1),
    ],
)
def test_the_seconds_of_a_call(
    redis_url: str, caller: Caller, timeout: float | None, wait: int | None, seconds: float
) -> None:
    settings = settings_of(redis_url, default_timeout=10, max_timeout=60)
    assert seconds_to_wait(timeout, Preference(wait=wait), caller, settings) == seconds
