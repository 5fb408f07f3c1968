"""The results of a job: one image, a list, or problems."""

from typing import Any

import httpx
from PIL import Image
from redis import Redis

from tests.gateway.refusals import assert_problem
from tests.gateway.routes.job_requests import (
    CROP_OUTSIDE,
    GRAY,
    PICTURE,
    PNG,
    TURN,
    ended,
    submitted,
)
from tests.imaging.pictures import decoded, psnr


def test_one_variant_redirects_to_its_image(client: httpx.Client, image: str) -> None:
    status = ended(client, submitted(client, image, TURN))

    assert status.status_code == 302
    assert status.json()["state"] == "succeeded"
    result = client.get(status.headers["location"])
    assert result.headers["content-type"] == "image/png"
    turned = PICTURE.transpose(Image.Transpose.ROTATE_270)
    assert psnr(decoded(result.content), turned) > 60
    tag = {"If-None-Match": result.headers["etag"]}
    assert client.get(status.headers["location"], headers=tag).status_code == 304
    part = client.get(status.headers["location"], headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, result.content[:10])


def test_several_variants_redirect_to_a_list_in_their_order(
    client: httpx.Client, image: str
) -> None:
    status = ended(client, submitted(client, image, TURN, GRAY, {}))

    assert status.headers["location"].endswith("/results")
    listed = client.get(status.headers["location"]).json()
    assert listed["job"] == status.json()["id"]
    assert [(each["width"], each["height"]) for each in listed["results"]] == [
        (60, 90),
        (90, 60),
        (90, 60),
    ]
    for each in listed["results"]:
        result = client.get(each["href"])
        assert len(result.content) == each["bytes"]
        assert result.headers["content-type"] == each["media_type"]
        assert decoded(result.content).size == (each["width"], each["height"])


def test_a_failed_variant_does_not_fail_the_others(client: httpx.Client, image: str) -> None:
    status = ended(client, submitted(client, image, CROP_OUTSIDE, GRAY))

    assert status.status_code == 302
    bad, good = client.get(status.headers["location"]).json()["results"]
    assert bad["href"] is None
    assert bad["problem"]["code"] == "invalid_operation"
    assert good["problem"] is None
    assert decoded(client.get(good["href"]).content).size == (90, 60)
    address = f"{status.headers['location']}/0"
    assert_problem(client.get(address), 422, "invalid_operation")


def test_a_variant_that_the_job_does_not_have_is_404(client: httpx.Client, image: str) -> None:
    status = ended(client, submitted(client, image, TURN))

    address = f"/v1/jobs/{status.json()['id']}/results/1"
    assert_problem(client.get(address), 404, "not_found")


def test_a_result_lives_as_long_as_its_job(client: httpx.Client, server: Any) -> None:
    job = client.post("/v1/jobs", content=PNG, headers={"Prefer": "wait=25"}).json()["id"]
    key = client.get(f"/v1/jobs/{job}/results/0").headers["etag"].strip('"')
    client.post("/v1/render", content=PNG, headers={"Cache-Control": "no-cache"})
    with Redis.from_url(server.connection_url) as redis:
        assert redis.ttl(f"darkroom:rendition:{key}") > 80_000
