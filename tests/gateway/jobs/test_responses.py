"""A client that prefers to wait receives the end of its job, or its place when the time is over."""

import httpx

from tests.imaging.pictures import encoded, scenery

PNG = encoded(scenery(60, 40), "PNG")


def submit(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post("/v1/jobs", params={"op": "grayscale"}, content=PNG, headers=headers)


def test_a_job_that_ends_in_time_is_answered_with_its_status(client: httpx.Client) -> None:
    done = submit(client, Prefer="wait=10")
    assert (done.status_code, done.json()["state"]) == (303, "succeeded")
    assert done.headers["location"] == f"/v1/jobs/{done.json()['id']}/results/0"
    failed = client.post("/v1/jobs", content=b"no image", headers={"Prefer": "wait=10"})
    assert (failed.status_code, failed.json()["state"]) == (200, "failed")


def test_no_request_waits_longer_than_it_prefers(no_workers: httpx.Client) -> None:
    for wait in (0, 1):
        answer = submit(no_workers, Prefer=f"wait={wait}")
        assert answer.status_code == 202
        assert wait - 0.1 < answer.elapsed.total_seconds() < wait + 4
        assert answer.headers["preference-applied"] == f"wait={wait}"
