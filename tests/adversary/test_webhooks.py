"""Receivers of webhooks that never answer, and readers that look for receivers' URLs."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.adversary.conftest import Record
from tests.attempts import attempts
from tests.gateway.receiver import receiver
from tests.gateway.webhooks.signing import SECRET
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream

SETTINGS = {
    "DARKROOM_WEBHOOK_SECRET": SECRET,
    "DARKROOM_WEBHOOK_ALLOW_PRIVATE": "true",
    "DARKROOM_WEBHOOK_PORTS": "1-65535",
    "DARKROOM_WEBHOOK_TIMEOUT": "5",
    "DARKROOM_WEBHOOK_LEASE": "6",
}


@pytest.fixture(scope="module")
def sender(imaging: Service, redis_url: str) -> Iterator[Service]:
    """A gateway that sends webhooks to this machine."""
    with faststream("gateway", redis_url, env=SETTINGS) as gateway:
        yield gateway


async def submit(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """Upload an image and submit a job with a webhook."""
    picture = encoded(scenery(9, 6), "PNG")
    image = (await client.post("/v1/images", content=picture)).json()["id"]
    job = {"source": {"image": image}, "variants": [{}], "webhook": {"url": url}}
    answer = await client.post("/v1/jobs", json=job)
    assert answer.status_code == 202, answer.text
    return answer


async def test_a_receiver_that_never_answers_delays_nobody_else(
    sender: Service, record_attack: Record
) -> None:
    """100 webhooks for a silent host are ahead of one for another host."""
    forever = asyncio.Event()
    async with receiver(*[forever] * 100) as silent, receiver() as good:
        async with httpx.AsyncClient(base_url=sender.url, timeout=10) as client:
            for _ in range(100):
                await submit(client, silent.url)
            await silent.receive(2)
            for number, attempt in enumerate(attempts(), start=1):
                start = time.monotonic()
                # Another name of this machine, as a limit is for one host.
                await submit(client, good.url.replace("127.0.0.1", "localhost"))
                await good.receive(number, within=40)
                waited = time.monotonic() - start
                with attempt:
                    assert waited < 4
        forever.set()

    record_attack(
        "100 webhooks for a receiver that never answers, then one for another receiver",
        "delivered after 31 s, with a timeout of 5 s",
        f"delivered after {waited:.1f} s",
    )


async def test_a_job_does_not_show_the_url_of_its_receiver(
    sender: Service, record_attack: Record
) -> None:
    async with httpx.AsyncClient(base_url=sender.url, timeout=10) as client:
        submitted = await submit(client, "http://127.0.0.1:9/hook?token=s3cret")
        read = await client.get(f"/v1/jobs/{submitted.json()['id']}")
        listed = await client.get("/v1/jobs")

    shown = submitted.text + read.text + listed.text
    record_attack(
        "read a job, to learn the URL of its webhook and the token in it",
        "the whole URL",
        "the whole URL" if "s3cret" in shown else "the host only",
    )
    assert "s3cret" not in shown
    assert submitted.json()["webhook"] == read.json()["webhook"] == {"host": "127.0.0.1:9"}
