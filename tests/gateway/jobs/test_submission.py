"""Submitting jobs: idempotency keys, submitters, a full queue, images that must be stored."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery
from tests.processes import faststream, valkey

PNG = encoded(scenery(60, 40), "PNG")


@pytest.fixture
def key() -> str:
    return f'"{uuid.uuid4()}"'


def submit(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post("/v1/jobs", params={"op": "grayscale"}, content=PNG, headers=headers)


def test_a_repeated_idempotency_key_returns_the_first_job(client: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key}
    first, again = submit(client, **headers), submit(client, **headers)
    assert first.status_code == again.status_code == 202
    assert first.json()["id"] == again.json()["id"]


def test_concurrent_requests_with_one_key_make_one_job(client: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key}
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: submit(client, **headers), range(24)))
    assert {answer.status_code for answer in answers} <= {202}
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_the_key_of_another_request_is_refused(client: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key}
    submit(client, **headers)
    other = client.post("/v1/jobs", params={"op": "flip"}, content=PNG, headers=headers)
    assert_problem(other, 422, "key_reused")


def test_two_submitters_can_use_the_same_key(client: httpx.Client, key: str) -> None:
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


def test_a_full_queue_answers_503_with_retry_after() -> None:
    with (
        valkey() as server,
        faststream("gateway", str(server.connection_url), env={"DARKROOM_MAX_QUEUE": "3"}) as own,
        httpx.Client(base_url=own.url, timeout=10) as client,
    ):
        assert [submit(client).status_code for _ in range(3)] == [202, 202, 202]
        refused = submit(client)
        assert_problem(refused, 503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1


def test_a_watermark_that_is_not_stored_is_404(client: httpx.Client) -> None:
    logo = "e" * 64
    answer = client.post("/v1/jobs", params={"op": f"watermark:{logo}"}, content=PNG)
    assert logo in assert_problem(answer, 404, "not_found")


def test_an_odd_client_address_still_makes_a_submitter(client: httpx.Client) -> None:
    answer = submit(client, **{"X-Forwarded-For": "fe80::1%eth0"})
    assert answer.status_code == 202
    assert answer.json()["submitter"] in {"fe80::1-eth0", "127.0.0.1"}
