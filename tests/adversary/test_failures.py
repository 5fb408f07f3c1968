"""Failures that name their cause: bad frames, missing decoders, faults of this software."""

import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.adversary.conftest import Record
from tests.imaging.animations import animation, moving_square, without_frame
from tests.imaging.pictures import encoded, quadrants, scenery
from tests.processes import HTTP, ROOT, Service, faststream, metric, valkey, wait_until

BAD_SECOND_FRAME = without_frame(animation("GIF", moving_square()), 1)
HEIF = encoded(quadrants(), "HEIF")
SQUARE = encoded(quadrants(), "PNG")

_ENV = {
    "DARKROOM_SLOTS": "1",
    "DARKROOM_PROCESS_MEMORY": "1024",
    "DARKROOM_JOB_ATTEMPTS": "2",
    "DARKROOM_RETRY_BASE": "0.1",
}
_SHIM = """
import os, sys
if "WITHOUT_HEIF" in os.environ:
    sys.modules["pillow_heif"] = None
from services.imaging.engine.raster import profiles
whole, hoard = profiles.to_srgb, []
def to_srgb(image, profile):
    if image.size == (13, 7):
        raise ValueError("a fault within the decoding")
    while image.size == (17, 9) and len(hoard) < 2000:
        try:
            hoard.append(bytearray(1 << 20))
        except MemoryError:
            del hoard[-8:]
            break
    return whole(image, profile)
profiles.to_srgb = to_srgb
"""


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with valkey() as running:
        yield str(running.connection_url)


@pytest.fixture(scope="module")
def shims(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a worker with two faults, each for one size of a still image.

    One of 13 x 7 pixels can't be decoded; one of 17 x 9 takes all memory of its process for ever.
    Python runs a module of the name `sitecustomize` before everything else, in pool processes too.
    """
    folder = tmp_path_factory.mktemp("shims")
    (folder / "sitecustomize.py").write_text(_SHIM)
    return {"PYTHONPATH": f"{folder}:{ROOT}", **_ENV}


@pytest.fixture(scope="module")
def lacking(redis_url: str, shims: dict[str, str]) -> Iterator[Service]:
    """A worker without the package for HEIF."""
    with faststream("imaging", redis_url, env={**shims, "WITHOUT_HEIF": "1"}) as service:
        yield service


@pytest.fixture(scope="module")
def able(redis_url: str, shims: dict[str, str]) -> Iterator[Service]:
    """A worker that has every format, beside the one that has not."""
    with faststream("imaging", redis_url, env=shims) as service:
        yield service


@pytest.fixture(scope="module")
def gateway(redis_url: str, lacking: Service) -> Iterator[Service]:
    with faststream("gateway", redis_url) as service:
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


def test_a_format_that_no_running_worker_reads_is_refused_by_name(gateway: Service) -> None:
    url = gateway.url
    refused = HTTP.post(f"{url}/v1/images", content=HEIF)
    assert refused.status_code == 415
    assert refused.json()["detail"] == "No running worker reads HEIF."
    unwritten = HTTP.post(f"{url}/v1/render?format=heif", content=SQUARE)
    assert unwritten.json()["code"] == "invalid_operation"
    job = HTTP.post(f"{url}/v1/jobs?op=flip", content=HEIF).json()["id"]
    assert end_of(url, job)["problem"]["detail"] == "No running worker reads HEIF."


def test_a_format_that_one_worker_lacks_is_read_by_another(
    gateway: Service, lacking: Service, able: Service, record_attack: Record
) -> None:
    url = gateway.url
    wait_until(lambda: len(HTTP.get(f"{url}/v1/system").json()["workers"]) == 2)
    renders = [
        HTTP.post(f"{url}/v1/render?op=resize:width={n}&transport={transport}", content=HEIF)
        for transport in ("channel", "list", "stream")
        for n in range(1, 9)
    ]
    codes = Counter(answer.status_code for answer in renders)
    jobs = [
        HTTP.post(f"{url}/v1/jobs?op=resize:width={n}", content=HEIF).json()["id"]
        for n in range(10, 18)
    ]
    states = Counter(end_of(url, job)["state"] for job in jobs)
    assert codes == {200: 24}
    assert states == {"succeeded": 8}
    assert len({answer.headers["x-worker"] for answer in renders}) == 1
    assert metric(lacking, 'darkroom_dropped_total{reason="handed_on"}') > 0
    assert HTTP.post(f"{url}/v1/render?format=heif", content=SQUARE).status_code == 200
    stamp = HTTP.post(f"{url}/v1/images", content=HEIF).json()["id"]
    stamped = [
        HTTP.post(f"{url}/v1/render?op=watermark:image={stamp},x={x}", content=SQUARE).status_code
        for x in range(8)
    ]
    assert stamped == [200] * 8
    record_attack(
        "A HEIF is sent while one of two workers lacks the package.",
        "24 renders: 13 x 200, 11 x 415, each of which deleted the image; 8 jobs: 5 done",
        f"24 renders: {codes[200]} x 200, over every transport; 8 jobs: {states['succeeded']} done",
    )


def test_a_fault_of_darkroom_is_not_blamed_on_the_image(
    gateway: Service, lacking: Service, able: Service, record_attack: Record
) -> None:
    url = gateway.url
    image = HTTP.post(f"{url}/v1/images", content=encoded(quadrants(13, 7), "PNG")).json()["id"]
    answer = HTTP.get(f"{url}/v1/images/{image}/render?op=flip")
    kept = HTTP.get(f"{url}/v1/images/{image}").status_code
    assert (answer.status_code, answer.json()["code"], kept) == (500, "internal", 200)
    job = submit(url, image, {})
    assert end_of(url, job)["problem"]["code"] == "internal"
    counted = sum(metric(one, "darkroom_internal_errors_total") for one in (lacking, able))
    assert counted == 2
    assert "a fault within the decoding" in lacking.output() + able.output()
    record_attack(
        "A fault in Darkroom's own code, while an image is decoded.",
        "422 image_unreadable, and the image is deleted; no error in log or metrics",
        f"500 internal, the image {kept}; {counted:.0f} errors counted and logged",
    )


def test_a_process_without_memory_condemns_no_image(
    gateway: Service, lacking: Service, able: Service, record_attack: Record
) -> None:
    url = gateway.url
    good = encoded(scenery(1500, 1000), "WEBP")
    image = HTTP.post(f"{url}/v1/images", content=good).json()["id"]
    for turn in range(4):  # both workers have one process
        HTTP.post(f"{url}/v1/render?op=blur:{turn + 1}", content=encoded(quadrants(17, 9), "PNG"))
    answers = [
        HTTP.get(f"{url}/v1/images/{image}/render?op=resize:width={width}").status_code
        for width in range(5, 11)
    ]
    assert answers == [200] * 6
    record_attack(
        "Six renders of a good WebP, after another image has taken the memory of each process.",
        "422 image_unreadable, which deleted the image; then 5 x 404",
        f"{answers.count(200)} x 200, after a second attempt in a fresh process",
    )


def test_when_the_only_able_worker_dies_its_requests_end_at_once(
    gateway: Service, able: Service
) -> None:
    able.signal(signal.SIGKILL)
    able.process.wait()
    answer = HTTP.post(f"{gateway.url}/v1/render?op=resize:width=30", content=HEIF)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.elapsed.total_seconds() < 5, "half of the time that the request has"


def submit(url: str, image: str, *variants: dict[str, object]) -> str:
    body = {"source": {"image": image}, "variants": variants}
    return str(HTTP.post(f"{url}/v1/jobs", json=body).json()["id"])


def end_of(url: str, job: str) -> Any:
    """Wait until a job has ended, and return it."""
    wait_until(lambda: HTTP.get(f"{url}/v1/jobs/{job}").json()["state"] in ("succeeded", "failed"))
    return HTTP.get(f"{url}/v1/jobs/{job}").json()
