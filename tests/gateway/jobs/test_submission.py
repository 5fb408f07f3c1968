"""What is promised of work that is done later: keys, preferences, cancelling, second chances."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery
from tests.processes import faststream, valkey, wait_until

PNG = encoded(scenery(60, 40), "PNG")


@pytest.fixture
def key() -> str:
    return f'"{uuid.uuid4()}"'


def submit(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post("/v1/jobs", params={"op": "grayscale"}, content=PNG, headers=headers)


def test_a_key_stands_for_one_job(client: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key}
    first, again = submit(client, **headers), submit(client, **headers)
    assert first.status_code == again.status_code == 202
    assert first.json()["id"] == again.json()["id"]


def test_two_at_the_same_instant_make_one_job(client: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key}
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: submit(client, **headers), range(24)))
    assert {answer.status_code for answer in answers} <= {202}
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_key_for_another_request_is_refused(client: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key}
    submit(client, **headers)
    other = client.post("/v1/jobs", params={"op": "flip"}, content=PNG, headers=headers)
    assert_problem(other, 422, "key_reused")


def test_a_key_is_its_submitters_own(client: httpx.Client, key: str) -> None:
    one = submit(client, **{"Idempotency-Key": key, "X-Submitter": "one"})
    two = submit(client, **{"Idempotency-Key": key, "X-Submitter": "two"})
    assert one.json()["id"] != two.json()["id"]
    assert two.json()["submitter"] == "two"


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": '""'},
        {"Idempotency-Key": '"unclosed'},
        {"Idempotency-Key": "x" * 256},
        {"Idempotency-Key": "a b"},
        {"X-Submitter": "a b"},
        {"X-Submitter": "x" * 65},
        {"X-Submitter": ""},
    ],
    ids=str,
)
def test_a_malformed_key_or_submitter_is_refused(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    assert_problem(submit(client, **headers), 422, "invalid_request")


def test_a_render_can_be_asked_for_later(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/render",
        params={"op": "flip"},
        content=PNG,
        headers={"Prefer": "respond-async"},
    )
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert int(answer.headers["retry-after"]) >= 1
    place = answer.headers["location"]
    wait_until(lambda: client.get(place).status_code == 302)
    assert client.get(place, follow_redirects=True).headers["content-type"] == "image/png"


def test_a_render_that_is_there_in_time_is_answered_at_once(client: httpx.Client) -> None:
    now = client.post("/v1/render", params={"op": "flip"}, content=PNG)
    answer = client.post(
        "/v1/render",
        params={"op": "flip"},
        content=PNG,
        headers={"Prefer": "respond-async, wait=10"},
    )
    assert answer.status_code == 200
    assert answer.content == now.content
    assert answer.headers["preference-applied"] == "respond-async, wait=10"


def test_one_that_fails_in_time_says_why(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/render", content=b"no image", headers={"Prefer": "respond-async, wait=10"}
    )
    assert_problem(answer, 422, "image_unreadable")


def test_a_job_that_ends_in_time_is_answered_as_its_status_is(client: httpx.Client) -> None:
    done = submit(client, Prefer="wait=10")
    assert (done.status_code, done.json()["state"]) == (303, "succeeded")
    assert done.headers["location"] == f"/v1/jobs/{done.json()['id']}/results/0"
    failed = client.post("/v1/jobs", content=b"no image", headers={"Prefer": "wait=10"})
    assert (failed.status_code, failed.json()["state"]) == (200, "failed")


def test_nobody_waits_longer_than_they_prefer(no_workers: httpx.Client) -> None:
    for wait in (0, 1):
        answer = submit(no_workers, Prefer=f"wait={wait}")
        assert answer.status_code == 202
        assert wait - 0.1 < answer.elapsed.total_seconds() < wait + 4
        assert answer.headers["preference-applied"] == f"wait={wait}"


def test_what_has_not_begun_can_be_cancelled(no_workers: httpx.Client) -> None:
    job = submit(no_workers).json()["id"]
    assert job in {one["id"] for one in no_workers.get("/v1/jobs?limit=1000").json()["jobs"]}
    answer = no_workers.delete(f"/v1/jobs/{job}")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    assert no_workers.delete(f"/v1/jobs/{job}").status_code == 202
    status = no_workers.get(f"/v1/jobs/{job}")
    assert (status.status_code, status.json()["state"]) == (200, "cancelled")
    assert job not in {one["id"] for one in no_workers.get("/v1/jobs?limit=1000").json()["jobs"]}
    assert no_workers.get(f"/v1/jobs/{job}/results/0").status_code == 404


def test_what_has_ended_can_not(client: httpx.Client) -> None:
    job = submit(client, Prefer="wait=10").json()["id"]
    assert_problem(client.delete(f"/v1/jobs/{job}"), 409, "conflict")
    assert_problem(client.delete(f"/v1/jobs/{'f' * 32}"), 404, "not_found")


def test_what_is_running_is_stopped(client: httpx.Client) -> None:
    large = encoded(scenery(3000, 2000), "JPEG")
    slow = {"op": ["blur:100"] * 30, "format": "png"}
    job = client.post("/v1/jobs", params=slow, content=large).json()["id"]
    wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "running")
    assert client.delete(f"/v1/jobs/{job}").json()["state"] == "cancelled"
    wait_until(lambda: not any(busy(client)), seconds=5)


def busy(client: httpx.Client) -> list[int]:
    return [worker["busy"] for worker in client.get("/v1/system").json()["workers"].values()]


def test_dead_letters_are_listed_and_only_they_can_be_brought_back(client: httpx.Client) -> None:
    assert client.get("/v1/dead-letters").json() == {"dead_letters": []}
    job = submit(client, Prefer="wait=10").json()["id"]
    assert_problem(client.post(f"/v1/dead-letters/{job}/requeue"), 404, "not_found")


def test_the_system_says_what_is_before_a_job(no_workers: httpx.Client) -> None:
    submit(no_workers)
    jobs = no_workers.get("/v1/system").json()["jobs"]
    assert jobs["queued"] >= 1
    assert jobs["age"] > 0
    metrics = no_workers.get("/metrics").text
    assert 'darkroom_jobs{state="queued"}' in metrics


def test_a_full_queue_is_refused_with_a_time_to_come_again() -> None:
    with (
        valkey() as server,
        faststream("gateway", str(server.connection_url), env={"DARKROOM_MAX_QUEUE": "3"}) as own,
        httpx.Client(base_url=own.url, timeout=10) as client,
    ):
        assert [submit(client).status_code for _ in range(3)] == [202, 202, 202]
        refused = submit(client)
        assert_problem(refused, 503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1


def test_a_result_lives_as_long_as_the_job_that_gave_it(client: httpx.Client, server: Any) -> None:
    job = client.post("/v1/jobs", content=PNG, headers={"Prefer": "wait=10"}).json()["id"]
    key = client.get(f"/v1/jobs/{job}/results/0").headers["etag"].strip('"')
    client.post("/v1/render", content=PNG, headers={"Cache-Control": "no-cache"})
    with Redis.from_url(server.connection_url) as redis:
        assert redis.ttl(f"darkroom:rendition:{key}") > 80_000


def test_an_image_that_is_laid_over_has_to_be_there(client: httpx.Client) -> None:
    logo = "e" * 64
    answer = client.post("/v1/jobs", params={"op": f"watermark:{logo}"}, content=PNG)
    assert f"{logo} that the watermark names" in assert_problem(answer, 404, "not_found")


def test_a_proxys_idea_of_an_address_is_no_error(client: httpx.Client) -> None:
    answer = submit(client, **{"X-Forwarded-For": "fe80::1%eth0"})
    assert answer.status_code == 202
    assert answer.json()["submitter"] in {"fe80::1-eth0", "127.0.0.1"}
