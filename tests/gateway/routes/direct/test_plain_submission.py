"""`POST /v1/jobs` with JSON: answered past FastAPI's parameters as it is answered with them.

HTTPX sends a head and its body one after the other, so each request is also sent as one packet:
its body is there with its head, and it goes past the parts in front of the routes, too.
"""

import json
from typing import Any

import httpx
import pytest

from tests.gateway.raw import connected, read_response
from tests.gateway.routes.job_requests import GRAY, TURN

_IGNORED: dict[str, str | int] = {"timeout": 60, "label": "of the query", "op": "flip"}
"""A query, which JSON takes nothing from: with it, FastAPI's route answers."""

_UNKNOWN = "0" * 64
_CHANGING = {"date", "x-correlation-id", "location", "retry-after"}


def _job(image: str = _UNKNOWN, **members: Any) -> bytes:
    return json.dumps({"source": {"image": image}, "variants": [TURN], **members}).encode()


def _both(
    client: httpx.Client, body: bytes, headers: dict[str, str], *, as_one: bool
) -> tuple[httpx.Response, httpx.Response]:
    sent = {"Content-Type": "application/json", **headers}
    usual = client.post("/v1/jobs", content=body, headers=sent, params=_IGNORED)
    if not as_one:
        return client.post("/v1/jobs", content=body, headers=sent), usual
    sent |= {"Host": client.base_url.netloc.decode(), "Content-Length": str(len(body))}
    lines = [f"{name}: {value}\r\n" for name, value in sent.items()]
    with connected(str(client.base_url)) as socket:
        socket.sendall(f"POST /v1/jobs HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body)
        return read_response(socket), usual


as_one = pytest.mark.parametrize("as_one", [False, True])


def _fields(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if name not in _CHANGING and not (name == "content-length" and answer.is_success)
    }


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"no json", {}),
        (b"[]", {}),
        (_job(), {}),
        (_job(more=1), {}),
        (_job(variants=[]), {}),
        (_job(variants=[{"operations": [{"op": "bend"}]}]), {}),
        (_job(timeout=-1), {}),
        (_job(label="x" * 2000), {}),
        (_job(webhook={"url": "ftp://example.com", "secret": "0123456789abcdef"}), {}),
        (_job(label="x" * (256 << 10)), {}),
        (_job(), {"Content-Encoding": "gzip"}),
        (_job(), {"Origin": "http://elsewhere.example"}),
    ],
)
@as_one
def test_both_ways_refuse_a_job_alike(
    client: httpx.Client, body: bytes, headers: dict[str, str], as_one: bool
) -> None:
    plain, usual = _both(client, body, headers, as_one=as_one)

    assert plain.is_client_error
    assert (plain.status_code, _fields(plain)) == (usual.status_code, _fields(usual))
    problems = [{**one.json(), "correlation_id": ""} for one in (plain, usual)]
    assert problems[0] == problems[1]


@pytest.mark.parametrize(
    ("members", "headers"),
    [
        ({}, {}),
        ({"label": "a name", "timeout": 9, "variants": [TURN, GRAY]}, {"X-Submitter": "me"}),
        ({}, {"Prefer": "respond-async"}),
    ],
)
@as_one
def test_both_ways_accept_a_job_alike(
    client: httpx.Client,
    image: str,
    members: dict[str, Any],
    headers: dict[str, str],
    as_one: bool,
) -> None:
    plain, usual = _both(client, _job(image, **members), headers, as_one=as_one)

    assert plain.status_code == usual.status_code == 202
    assert _fields(plain) == _fields(usual)
    assert plain.headers["location"] == f"/v1/jobs/{plain.json()['id']}"
    changing = {"id", "created_at", "updated_at", "deadline", "event"}
    jobs = [{k: v for k, v in one.json().items() if k not in changing} for one in (plain, usual)]
    assert jobs[0] == jobs[1]


@as_one
def test_both_ways_know_each_others_idempotency_keys(
    client: httpx.Client, image: str, as_one: bool
) -> None:
    key = {"Idempotency-Key": f"both-ways-{as_one}"}

    plain, usual = _both(client, _job(image), key, as_one=as_one)
    others = _both(client, _job(image, variants=[GRAY]), key, as_one=as_one)

    assert plain.json()["id"] == usual.json()["id"]
    assert [one.status_code for one in others] == [422, 422]


@as_one
def test_both_ways_wait_for_the_end_of_a_job(
    client: httpx.Client, image: str, as_one: bool
) -> None:
    for answer in _both(client, _job(image), {"Prefer": "wait=20"}, as_one=as_one):
        assert answer.status_code == 303
        assert answer.headers["preference-applied"] == "wait=20"
        assert answer.json()["state"] == "succeeded"
