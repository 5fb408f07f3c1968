"""Deletion of images: everything that was made from one goes with it, at any moment."""

import re
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import httpx
import pytest
from redis import Redis

from tests.attempts import attempts
from tests.gateway.refusals import assert_problem
from tests.gateway.routes.job_requests import ended, submitted
from tests.imaging.pictures import encoded, scenery
from tests.processes import wait_until


def test_a_deleted_image_is_gone_with_all_that_was_made_from_it(client: httpx.Client) -> None:
    image, logo = (
        str(client.post("/v1/images", content=encoded(scenery(*size), "PNG")).headers["location"])
        for size in ((61, 47), (12, 9))
    )
    key = image.rpartition("/")[2]
    marked = f"{image}/render?op=watermark:image={logo.rpartition('/')[2]}"
    for address in (f"{image}/render?op=grayscale", marked):
        assert client.get(address).headers["cache-status"] == "darkroom; fwd=miss"
        assert client.get(address).headers["cache-status"] == "darkroom; hit"

    assert client.delete(f"{logo}").status_code == 204
    assert_problem(client.get(marked), 404, "not_found")
    assert client.get(f"{image}/render?op=grayscale").headers["cache-status"] == "darkroom; hit"
    assert client.delete(f"{image}/renditions").status_code == 204
    again = client.get(f"{image}/render?op=grayscale")
    assert again.headers["cache-status"] == "darkroom; fwd=miss"

    assert client.delete(image).status_code == 204
    for path in ("", "/info", "/render?op=grayscale"):
        assert_problem(client.get(image + path), 404, "not_found")
    assert_problem(client.delete(image), 404, "not_found")
    assert client.delete(f"{image}/renditions").status_code == 204

    picture = encoded(scenery(61, 47), "PNG")
    assert client.post("/v1/images", content=picture).json()["id"] == key
    again = client.get(f"{image}/render?op=grayscale")
    assert again.headers["cache-status"] == "darkroom; fwd=miss"
    assert client.get(f"{image}/render?op=grayscale").headers["cache-status"] == "darkroom; hit"


@pytest.mark.parametrize("name", ["x", "A" * 64, "a" * 65, f"{'a' * 64}:renditions"])
def test_an_id_that_no_image_has_is_not_found_and_stores_nothing(
    client: httpx.Client, redis_url: str, name: str
) -> None:
    assert_problem(client.delete(f"/v1/images/{name}"), 404, "not_found")
    assert_problem(client.delete(f"/v1/images/{name}/renditions"), 404, "not_found")
    with Redis.from_url(redis_url) as redis:
        assert redis.keys(f"*{name}*:purged") == []


def test_a_result_of_an_image_that_is_deleted_while_it_is_rendered_is_not_kept(
    client: httpx.Client, redis_url: str
) -> None:
    for number, attempt in enumerate(attempts()):
        picture = encoded(scenery(900, 900 + number), "PNG")
        image = client.post("/v1/images", content=picture).headers["location"]
        slow = f"{image}/render?" + "&".join(["op=blur:100"] * 16)
        with ThreadPoolExecutor() as threads, Redis.from_url(redis_url) as redis:
            before = set(redis.keys("darkroom:rendition:*"))
            rendering = threads.submit(client.get, slow)
            wait_until(partial(is_rendered_or_done, client, rendering), every=0.01)
            assert client.delete(image).status_code == 204
            answer = rendering.result()
            with attempt:  # on a busy machine, the render may end before the deletion
                assert_problem(answer, 410, "gone")
            assert set(redis.keys("darkroom:rendition:*")) - before == set()


def is_rendered_or_done(client: httpx.Client, rendering: Future[httpx.Response]) -> bool:
    """Return whether a worker was called, or the answer is there."""
    metrics = client.get("/metrics").text
    [waiting] = re.findall(r"^darkroom_calls_waiting (\S+)$", metrics, re.MULTILINE)
    return rendering.done() or float(waiting) > 0


def test_a_job_whose_image_is_deleted_ends_as_gone(client: httpx.Client) -> None:
    slow = {"operations": [{"op": "blur", "radius": 100}] * 16}
    for number, attempt in enumerate(attempts(TypeError)):
        picture = encoded(scenery(900, 910 + number), "PNG")
        image = client.post("/v1/images", content=picture).headers["location"]
        name, other = image.rpartition("/")[2], slow | {"output": {"quality": 9}}
        accepted = submitted(client, name, slow, other)
        assert client.delete(image).status_code == 204
        job = ended(client, accepted).json()
        with attempt:  # on a busy machine, a variant may be done before the deletion
            assert (job["state"], job["problem"]["code"]) == ("failed", "gone")
            detail = job["problem"]["detail"]
            assert "deleted" in detail or "not here any more" in detail
