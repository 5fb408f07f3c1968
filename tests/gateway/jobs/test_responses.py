"""Answers about jobs that have not ended: when to ask again, and the wait that a client prefers."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from contracts.jobs import Job, JobState
from services.gateway.jobs.responses import pending_response
from tests.imaging.pictures import encoded, scenery

PNG = encoded(scenery(60, 40), "PNG")
JOB = Job.model_validate(Job.model_json_schema()["examples"][0])


def submit(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post("/v1/jobs", params={"op": "grayscale"}, content=PNG, headers=headers)


def test_a_job_that_ends_in_time_is_answered_with_its_status(client: httpx.Client) -> None:
    done = submit(client, Prefer="wait=25")
    assert (done.status_code, done.json()["state"]) == (303, "succeeded")
    assert done.headers["location"] == f"/v1/jobs/{done.json()['id']}/results/0"
    failed = client.post("/v1/jobs", content=b"no image", headers={"Prefer": "wait=25"})
    assert (failed.status_code, failed.json()["state"]) == (200, "failed")


def test_no_request_waits_longer_than_it_prefers(no_workers: httpx.Client) -> None:
    for wait in (0, 1):
        answer = submit(no_workers, Prefer=f"wait={wait}")
        assert answer.status_code == 202
        assert wait - 0.1 < answer.elapsed.total_seconds() < wait + 4
        assert answer.headers["preference-applied"] == f"wait={wait}"


@pytest.mark.parametrize(
    ("state", "seconds", "wait"),
    [
        ("queued", -5, 1),
        ("queued", 0, 1),
        ("queued", 8, 4),
        ("queued", 900, 60),
        ("running", 9, 1),
    ],
)
def test_a_client_asks_again_after_half_of_the_time_its_job_has_been_queued_for(
    state: str, seconds: float, wait: int
) -> None:
    queued = datetime.now(UTC) - timedelta(seconds=seconds)
    job = JOB.model_copy(update={"state": JobState(state), "updated_at": queued})
    assert pending_response(job).headers["retry-after"] == str(wait)
