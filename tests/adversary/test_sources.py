"""A job owns its images: they live while it is open, whatever the settings for their lives."""

import hashlib
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.adversary.conftest import Record
from tests.attempts import attempts
from tests.imaging.pictures import encoded, scenery
from tests.processes import faststream, valkey, wait_until

SHORT_LIVES = {"DARKROOM_IMAGE_TTL": "1", "DARKROOM_JOB_TTL": "3", "DARKROOM_RENDITION_TTL": "1"}


@pytest.fixture
def redis_url() -> Iterator[str]:
    with valkey() as server:
        yield str(server.connection_url)


def test_the_images_of_a_waiting_job_outlive_their_settings(
    redis_url: str, record_attack: Record
) -> None:
    """No worker is there at first, so nothing inspects the uploads, and the job waits."""
    with (
        faststream("gateway", redis_url, env=SHORT_LIVES) as gateway,
        httpx.Client(base_url=gateway.url, timeout=10) as client,
    ):
        for attempt in attempts():
            source, logo = uploaded(client, 64, 48), uploaded(client, 16, 16)
            marked = {"operations": [{"op": "watermark", "image": logo}]}
            new = {"source": {"image": source}, "variants": [marked, {"operations": []}]}
            accepted = client.post("/v1/jobs", json=new)
            with attempt:  # on a busy machine, an image may be gone before the job
                assert accepted.status_code == 202, accepted.text
        path = accepted.headers["location"]
        time.sleep(4.5)  # time is the subject: it is longer than each life
        with faststream("imaging", redis_url, env=SHORT_LIVES):
            wait_until(lambda: client.get(path).status_code != 202)
            job = client.get(path).json()
    problems = [result["problem"] and result["problem"]["code"] for result in job["results"]]
    record_attack(
        "a job with a watermark waits 4.5 s for a worker; images are kept for 1 s, records for 3 s",
        "the job failed as gone, and there was no dead letter",
        f"the job has {job['state']}",
    )
    assert (job["state"], problems) == ("succeeded", [None, None])


def uploaded(client: httpx.Client, width: int, height: int) -> str:
    data = encoded(scenery(width, height), "PNG")
    client.post("/v1/images", content=data)
    return hashlib.sha256(data).hexdigest()
