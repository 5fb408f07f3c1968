"""Failures that tell the truth: bad frames, missing decoders and faults of this software."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.adversary.conftest import Record
from tests.imaging.animations import animation, moving_square, without_frame
from tests.processes import HTTP, Service, faststream, valkey, wait_until

BAD_SECOND_FRAME = without_frame(animation("GIF", moving_square()), 1)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with valkey() as running:
        yield str(running.connection_url)


@pytest.fixture(scope="module")
def gateway(redis_url: str) -> Iterator[Service]:
    with (
        faststream("imaging", redis_url, env={"DARKROOM_SLOTS": "1"}),
        faststream("gateway", redis_url) as service,
    ):
        yield service


def test_a_render_of_a_bad_frame_takes_the_image_from_nobody(
    gateway: Service, record_attack: Record
) -> None:
    url = gateway.url
    image = HTTP.post(f"{url}/v1/images", content=BAD_SECOND_FRAME).json()["id"]
    job = submit(url, image, {"output": {"format": "webp"}}, {"output": {"animated": False}})
    refused = HTTP.get(f"{url}/v1/images/{image}/render?format=webp")
    assert refused.json()["code"] == "image_unreadable"
    kept = HTTP.get(f"{url}/v1/images/{image}").status_code
    still = HTTP.get(f"{url}/v1/images/{image}/render?op=flip&animated=false").status_code
    ended = end_of(url, job)
    codes = [(one["problem"] or {}).get("code", "ok") for one in ended["results"]]
    assert (kept, still, codes) == (200, 200, ["image_unreadable", "ok"])
    assert ended["state"] == "succeeded"
    record_attack(
        "A stranger renders an uploaded GIF whose second frame is bad.",
        "422; then 404 for the image and its first frame; a job that waited for it failed: gone",
        f"422; the image {kept}, its first frame {still}; the job's variants: {', '.join(codes)}",
    )


def submit(url: str, image: str, *variants: dict[str, object]) -> str:
    body = {"source": {"image": image}, "variants": variants}
    return str(HTTP.post(f"{url}/v1/jobs", json=body).json()["id"])


def end_of(url: str, job: str) -> Any:
    """Wait until a job has ended, and return it."""
    wait_until(lambda: HTTP.get(f"{url}/v1/jobs/{job}").json()["state"] in ("succeeded", "failed"))
    return HTTP.get(f"{url}/v1/jobs/{job}").json()
