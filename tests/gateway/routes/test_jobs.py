"""Jobs: submitted as JSON or as an image, looked up, cancelled."""

from datetime import datetime

import httpx
import pytest
from PIL import ImageOps

from tests.gateway.refusals import assert_problem
from tests.gateway.routes.job_requests import PICTURE, PNG, TURN, ended, submitted
from tests.imaging.pictures import decoded, encoded, psnr, scenery
from tests.processes import wait_until


def test_an_accepted_job_names_the_address_of_its_status(client: httpx.Client, image: str) -> None:
    accepted = submitted(client, image, TURN)

    assert accepted.status_code == 202
    job = accepted.json()
    assert accepted.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(accepted.headers["retry-after"]) >= 1
    assert accepted.headers["cache-control"] == "no-store"
    assert (job["state"], job["results"], job["attempts"]) == ("queued", [], 0)
    assert job["source"]["key"] == image


def test_an_image_in_the_body_takes_its_pipeline_from_the_query(client: httpx.Client) -> None:
    query = {"op": ["flip", "grayscale"], "format": "png"}
    raw = client.post("/v1/jobs", params=query, content=PNG)
    form = client.post("/v1/jobs", params=query, files={"file": PNG})

    for accepted in (raw, form):
        status = ended(client, accepted)
        result = decoded(client.get(status.headers["location"]).content)
        assert psnr(result.convert("L"), ImageOps.mirror(PICTURE).convert("L")) > 60


def test_a_failed_job_says_why(client: httpx.Client) -> None:
    status = ended(client, client.post("/v1/jobs", content=b"this is no image"))

    assert status.status_code == 200
    job = status.json()
    assert job["state"] == "failed"
    assert job["problem"]["code"] == "image_unreadable"
    assert_problem(client.get(f"/v1/jobs/{job['id']}/results/0"), 422, "image_unreadable")


def test_a_job_waits_until_a_worker_starts(no_workers: httpx.Client) -> None:
    accepted = no_workers.post("/v1/jobs", content=PNG)

    assert accepted.status_code == 202
    for path in ("", "/results", "/results/0"):
        waiting = no_workers.get(accepted.headers["location"] + path)
        assert waiting.status_code == 202
        assert int(waiting.headers["retry-after"]) >= 1
        assert waiting.json()["state"] == "queued"


@pytest.mark.parametrize(
    ("asked", "given"), [({"timeout": 60}, 60), ({"timeout": 1e9}, 7200), ({}, 7200)]
)
def test_a_job_has_the_time_that_its_query_asks_for_up_to_the_limit(
    no_workers: httpx.Client, asked: dict[str, float], given: int
) -> None:
    job = no_workers.post("/v1/jobs", params=asked, content=PNG).json()
    accepted, deadline = (datetime.fromisoformat(job[name]) for name in ("created_at", "deadline"))
    assert (deadline - accepted).total_seconds() == pytest.approx(given, abs=5)


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/json;"]
)
def test_json_is_recognised_by_its_media_type(
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
def test_json_that_is_not_a_valid_job_is_refused(
    client: httpx.Client, image: str, body: str
) -> None:
    answer = client.post(
        "/v1/jobs",
        content=body.replace("IMAGE", image).encode(),
        headers={"Content-Type": "application/json"},
    )

    assert_problem(answer, 422, "invalid_request")


@pytest.mark.parametrize(
    ("variant", "named"),
    [
        ('{"operations": [{"op": "melt"}]}', "op should be one of resize, crop"),
        ('{"operations": [{}]}', "op should be one of resize, crop"),
        ('{"operations": [{"op": "resize"}]}', "resize: give a width, a height or both"),
        ('{"operations": [{"op": "round", "radius": "x"}]}', "radius: should be 0 to 16384"),
        ('{"operations": 7}', "operations"),
        (
            '{"operations": ['
            + ",".join(f'{{"op": "watermark", "image": "{n:064}"}}' for n in range(9))
            + "]}",
            "operations may name 8 images at most",
        ),
        ('{"operations": [{"op": "rotate", "degrees": NaN}]}', "degrees"),
        ('{"operations": [{"op": "rotate", "degrees": Infinity}]}', "degrees"),
        ('{"operations": [{"op": "blur", "radius": 1e999}]}', "radius"),
        ('{"operations": [{"op": "resize", "width": 1' + "0" * 400 + "}]}", "width"),
        ('{"operations": [{"op": "flip", "more": 1}]}', "more"),
        ('{"operations": [' + ",".join(['{"op": "flip"}'] * 33) + "]}", "operations"),
        ('{"output": {"format": "qoi"}}', "format"),
        ('{"output": {"quality": 0}}', "quality"),
    ],
    ids=lambda text: text[:50],
)
def test_the_error_names_the_invalid_operation(
    client: httpx.Client, image: str, variant: str, named: str
) -> None:
    """With the same code as for a query."""
    body = f'{{"source": {{"image": "{image}"}}, "variants": [{{}}, {variant}]}}'

    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})

    detail = assert_problem(answer, 422, "invalid_operation")
    assert named in detail
    assert detail.startswith("variants.1")
    assert detail.count("variants") == 1


def test_the_last_of_a_repeated_field_counts(client: httpx.Client, image: str) -> None:
    body = f'{{"source": {{"image": 7, "image": "{image}"}}, "variants": [{{}}]}}'

    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 202


def test_json_over_the_limit_is_refused(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/jobs", content=b" " * 300_000, headers={"Content-Type": "application/json"}
    )

    assert_problem(answer, 413, "too_large")


def test_a_waiting_job_can_be_cancelled(no_workers: httpx.Client) -> None:
    job = no_workers.post("/v1/jobs", content=PNG).json()["id"]
    assert job in {one["id"] for one in no_workers.get("/v1/jobs?limit=1000").json()["jobs"]}
    answer = no_workers.delete(f"/v1/jobs/{job}")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    assert no_workers.delete(f"/v1/jobs/{job}").status_code == 202
    status = no_workers.get(f"/v1/jobs/{job}")
    assert (status.status_code, status.json()["state"]) == (200, "cancelled")
    assert job not in {one["id"] for one in no_workers.get("/v1/jobs?limit=1000").json()["jobs"]}
    assert no_workers.get(f"/v1/jobs/{job}/results/0").status_code == 404


def test_a_job_that_has_ended_or_does_not_exist_can_not_be_cancelled(client: httpx.Client) -> None:
    job = client.post("/v1/jobs", content=PNG, headers={"Prefer": "wait=25"}).json()["id"]
    assert_problem(client.delete(f"/v1/jobs/{job}"), 409, "conflict")
    assert_problem(client.delete(f"/v1/jobs/{'f' * 32}"), 404, "not_found")


def test_cancelling_a_running_job_stops_its_worker(client: httpx.Client) -> None:
    large = encoded(scenery(3000, 2000), "JPEG")
    slow = {"op": ["blur:100"] * 30, "format": "png"}
    job = client.post("/v1/jobs", params=slow, content=large).json()["id"]
    wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "running")
    assert client.delete(f"/v1/jobs/{job}").json()["state"] == "cancelled"
    wait_until(lambda: not any(busy(client)), seconds=10)


def busy(client: httpx.Client) -> list[int]:
    return [worker["busy"] for worker in client.get("/v1/system").json()["workers"].values()]


@pytest.mark.parametrize(
    "media_type",
    ["application/xml", "text/xml; charset=utf-8", "text/plain", "application/ld+json", "nonsense"],
)
def test_a_body_of_another_type_is_refused(no_workers: httpx.Client, media_type: str) -> None:
    refused = no_workers.post("/v1/jobs", content=PNG, headers={"Content-Type": media_type})

    assert_problem(refused, 415, "unsupported_media_type")
    assert refused.headers["accept"].startswith("application/json, image/*, multipart/form-data")


@pytest.mark.parametrize(
    "media_type",
    ["Image/PNG", "image/x-unknown", "application/octet-stream", "", None,
     "application/x-www-form-urlencoded"],
)  # fmt: skip
def test_bytes_of_an_image_or_of_no_type_are_a_job(
    no_workers: httpx.Client, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}

    assert no_workers.post("/v1/jobs", content=PNG, headers=headers).status_code == 202
