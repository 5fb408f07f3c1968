"""Render later: accepted, looked up, fetched."""

from typing import Any

import httpx
import pytest
from PIL import Image, ImageOps

from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import decoded, encoded, psnr, scenery
from tests.processes import wait_until

PICTURE = scenery(90, 60)
PNG = encoded(PICTURE, "PNG")
TURN = {"operations": [{"op": "rotate", "degrees": 90}], "output": {"format": "png"}}
GRAY = {"operations": [{"op": "grayscale"}], "output": {"format": "png"}}
CROP_OUTSIDE = {"operations": [{"op": "crop", "left": 80, "top": 0, "width": 90, "height": 9}]}


@pytest.fixture(scope="module")
def image(client: httpx.Client) -> str:
    return str(client.post("/v1/images", content=PNG).json()["id"])


def submitted(client: httpx.Client, image: str, *variants: dict[str, Any]) -> httpx.Response:
    return client.post("/v1/jobs", json={"source": {"image": image}, "variants": variants})


def ended(client: httpx.Client, accepted: httpx.Response) -> httpx.Response:
    """The job's status once it is no longer open."""
    address = accepted.headers["location"]
    wait_until(lambda: client.get(address).status_code != 202)
    return client.get(address)


def test_a_job_is_accepted_and_says_where_to_look(client: httpx.Client, image: str) -> None:
    accepted = submitted(client, image, TURN)

    assert accepted.status_code == 202
    job = accepted.json()
    assert accepted.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(accepted.headers["retry-after"]) >= 1
    assert accepted.headers["cache-control"] == "no-store"
    assert (job["state"], job["results"], job["attempts"]) == ("queued", [], 0)
    assert job["source"]["key"] == image


def test_one_variant_leads_to_its_image(client: httpx.Client, image: str) -> None:
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


def test_an_image_in_the_body_is_done_as_the_query_says(client: httpx.Client) -> None:
    query = {"op": ["flip", "grayscale"], "format": "png"}
    raw = client.post("/v1/jobs", params=query, content=PNG)
    form = client.post("/v1/jobs", params=query, files={"file": PNG})

    for accepted in (raw, form):
        status = ended(client, accepted)
        result = decoded(client.get(status.headers["location"]).content)
        assert psnr(result.convert("L"), ImageOps.mirror(PICTURE).convert("L")) > 60


def test_several_variants_lead_to_a_list_in_their_order(client: httpx.Client, image: str) -> None:
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


def test_a_failed_variant_stands_beside_the_good_ones(client: httpx.Client, image: str) -> None:
    status = ended(client, submitted(client, image, CROP_OUTSIDE, GRAY))

    assert status.status_code == 302
    bad, good = client.get(status.headers["location"]).json()["results"]
    assert bad["href"] is None
    assert bad["problem"]["code"] == "invalid_operation"
    assert good["problem"] is None
    assert decoded(client.get(good["href"]).content).size == (90, 60)
    address = f"{status.headers['location']}/0"
    assert_problem(client.get(address), 422, "invalid_operation")


def test_a_failed_job_says_why(client: httpx.Client) -> None:
    status = ended(client, client.post("/v1/jobs", content=b"this is no image"))

    assert status.status_code == 200
    job = status.json()
    assert job["state"] == "failed"
    assert job["problem"]["code"] == "image_unreadable"
    assert_problem(client.get(f"/v1/jobs/{job['id']}/results/0"), 422, "image_unreadable")


def test_a_variant_that_was_not_asked_for_is_404(client: httpx.Client, image: str) -> None:
    status = ended(client, submitted(client, image, TURN))

    address = f"/v1/jobs/{status.json()['id']}/results/1"
    assert_problem(client.get(address), 404, "not_found")


def test_a_job_waits_for_a_worker_to_come(no_workers: httpx.Client) -> None:
    accepted = no_workers.post("/v1/jobs", content=PNG)

    assert accepted.status_code == 202
    for path in ("", "/results", "/results/0"):
        waiting = no_workers.get(accepted.headers["location"] + path)
        assert waiting.status_code == 202
        assert int(waiting.headers["retry-after"]) >= 1
        assert waiting.json()["state"] == "queued"


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/json;"]
)
def test_json_is_told_by_its_media_type(
    client: httpx.Client, image: str, content_type: str
) -> None:
    body = f'{{"source": {{"image": "{image}"}}, "variants": [{{}}]}}'

    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": content_type})

    assert answer.status_code == 202


def test_a_job_for_an_unknown_image_is_404(client: httpx.Client) -> None:
    assert_problem(submitted(client, "0" * 64, TURN), 404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{",
        '"text"',
        "\0",
        "\ufeff{}",
        "{}",
        '{"source": {}, "variants": [{}]}',
        '{"source": {"image": "IMAGE"}, "variants": []}',
        '{"source": {"image": "IMAGE"}, "variants": {}}',
        '{"source": {"image": "../../etc/passwd"}, "variants": [{}]}',
        '{"source": {"image": "IMAGE\\u0000"}, "variants": [{}]}',
        '{"source": {"image": "IMAGE"}, "variants": [{}], "more": 1}',
        '{"source": {"image": "IMAGE", "image": 7}, "variants": [{}]}',
        '{"source": {"image": "IMAGE"}, "variants": [{"more": 1}]}',
        '{"source": {"image": "IMAGE"}, "variants": [' + ",".join(["{}"] * 65) + "]}",
        '{"source": 1' + "0" * 5000 + ', "variants": [{}]}',
        '{"source": ' + "[" * 100_000 + "]" * 100_000 + ', "variants": [{}]}',
        '{"source": ' + '{"a":' * 20_000 + "1" + "}" * 20_000 + "}",
    ],
    ids=lambda body: body[:50],
)
def test_json_that_is_no_job_is_refused(client: httpx.Client, image: str, body: str) -> None:
    answer = client.post(
        "/v1/jobs",
        content=body.replace("IMAGE", image).encode(),
        headers={"Content-Type": "application/json"},
    )

    assert_problem(answer, 422, "invalid_request")


@pytest.mark.parametrize(
    ("variant", "named"),
    [
        ('{"operations": [{"op": "melt"}]}', "melt"),
        ('{"operations": [{}]}', "op"),
        ('{"operations": [{"op": "resize"}]}', "resize"),
        ('{"operations": [{"op": "rotate", "degrees": NaN}]}', "degrees"),
        ('{"operations": [{"op": "rotate", "degrees": Infinity}]}', "degrees"),
        ('{"operations": [{"op": "blur", "radius": 1e999}]}', "radius"),
        ('{"operations": [{"op": "resize", "width": 1' + "0" * 400 + "}]}", "width"),
        ('{"operations": [{"op": "flip", "more": 1}]}', "more"),
        ('{"operations": [' + ",".join(['{"op": "flip"}'] * 33) + "]}", "operations"),
        ('{"output": {"format": "bmp"}}', "format"),
        ('{"output": {"quality": 0}}', "quality"),
    ],
    ids=lambda text: text[:50],
)
def test_an_operation_that_can_t_be_is_named(
    client: httpx.Client, image: str, variant: str, named: str
) -> None:
    """As it is when it comes in a query."""
    body = f'{{"source": {{"image": "{image}"}}, "variants": [{{}}, {variant}]}}'

    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})

    detail = assert_problem(answer, 422, "invalid_operation")
    assert named in detail
    assert "variants.1" in detail


def test_a_field_that_is_given_twice_counts_as_the_last(client: httpx.Client, image: str) -> None:
    body = f'{{"source": {{"image": 7, "image": "{image}"}}, "variants": [{{}}]}}'

    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 202


def test_json_without_end_is_refused(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/jobs", content=b" " * 300_000, headers={"Content-Type": "application/json"}
    )

    assert_problem(answer, 413, "too_large")
