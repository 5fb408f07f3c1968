"""Attacks by web pages elsewhere, in the browser of somebody who reaches the gateway."""

from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.adversary.conftest import Record
from tests.imaging.pictures import encoded, scenery
from tests.processes import HTTP, Service, faststream, valkey

PNG = encoded(scenery(40, 30), "PNG")
PAGE = "https://other.example"


@pytest.fixture(scope="module")
def alone() -> Iterator[Service]:
    """A gateway with a Redis of its own, and so without workers: jobs stay queued."""
    with valkey() as server, faststream("gateway", str(server.connection_url)) as service:
        yield service


def submitted(gateway: Service) -> str:
    """Submit a job; return its address."""
    answer = HTTP.post(f"{gateway.url}/v1/jobs?op=flip", content=PNG)
    return str(answer.headers["Location"])


def state_of(gateway: Service, job: str) -> str:
    return str(HTTP.get(gateway.url + job).json()["state"])


def test_a_name_that_resolves_to_the_gateway_reads_and_cancels_nothing(
    alone: Service, record_attack: Record
) -> None:
    job = submitted(alone)
    name = {"Host": f"rebound.example:{alone.url.rpartition(':')[2]}"}
    own = {**name, "Origin": f"http://{name['Host']}", "Sec-Fetch-Site": "same-origin"}

    read = HTTP.get(f"{alone.url}/v1/jobs", headers=name)
    cancelled = HTTP.delete(alone.url + job, headers=own)

    assert (read.status_code, cancelled.status_code) == (421, 421)
    assert job.rpartition("/")[2] not in read.text
    assert state_of(alone, job) == "queued"
    record_attack(
        "A page's own host name resolves to 127.0.0.1 (DNS rebinding): list and cancel jobs",
        "200 with all jobs, and 202: the job is cancelled",
        "421 and 421, the job stays queued",
    )


@pytest.mark.parametrize("origin", [PAGE, "null"])
def test_a_page_elsewhere_submits_and_cancels_nothing(
    alone: Service, record_attack: Record, origin: str
) -> None:
    job = submitted(alone)
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    plain = {**headers, "Content-Type": "text/plain"}

    statuses = [
        HTTP.post(f"{alone.url}/v1/jobs?op=flip", headers=plain, content=PNG).status_code,
        HTTP.post(f"{alone.url}/v1/render?op=flip", headers=plain, content=PNG).status_code,
        HTTP.post(f"{alone.url}/v1/images", headers=headers, files={"file": PNG}).status_code,
        HTTP.delete(alone.url + job, headers=headers).status_code,
    ]

    assert statuses == [403] * 4
    assert state_of(alone, job) == "queued"
    record_attack(
        f"A page with the origin {origin} posts images as text/plain and as a form, and cancels",
        "202, twice 503 because no worker runs, and 202: the job is cancelled",
        "four times 403, the job stays queued",
    )


def test_a_page_elsewhere_watches_nothing(alone: Service, record_attack: Record) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{alone.url.replace('http', 'ws')}/v1/live", origin=Origin(PAGE), proxy=None)

    assert refused.value.response.status_code == 403
    record_attack(
        "A page elsewhere opens a WebSocket and watches jobs",
        "101, and every event of the jobs",
        "403",
    )
