"""Webhooks of gateway processes: requested over HTTP, delivered although a gateway is killed."""

import asyncio
import os
import signal

import httpx
from redis.asyncio import Redis

from tests.gateway.receiver import receiver
from tests.gateway.refusals import assert_problem
from tests.gateway.webhooks.signing import SECRET, verified
from tests.imaging.pictures import encoded, scenery
from tests.processes import faststream, valkey

SETTINGS = {
    "DARKROOM_WEBHOOK_SECRET": SECRET,
    "DARKROOM_WEBHOOK_ALLOW_PRIVATE": "true",
    "DARKROOM_WEBHOOK_PORTS": "1-65535",
    "DARKROOM_WEBHOOK_TIMEOUT": "5",
    "DARKROOM_WEBHOOK_LEASE": "6",
}


async def submit(client: httpx.AsyncClient, webhook: str) -> httpx.Response:
    """Submit a job with a webhook."""
    image = (await client.post("/v1/images", content=encoded(scenery(9, 6), "PNG"))).json()["id"]
    job = {"source": {"image": image}, "variants": [{}], "webhook": {"url": webhook}}
    return await client.post("/v1/jobs", json=job)


async def test_a_killed_gateway_loses_no_webhook() -> None:
    with valkey() as server, faststream("imaging", url := str(server.connection_url)):
        async with receiver(asyncio.Event()) as webhooks:
            with faststream("gateway", url, env=SETTINGS) as gateway:
                async with httpx.AsyncClient(base_url=gateway.url, timeout=10) as client:
                    job = (await submit(client, webhooks.url)).json()["id"]
                    await webhooks.receive(1)
                    os.killpg(gateway.process.pid, signal.SIGKILL)
            with faststream("gateway", url, env=SETTINGS) as gateway:
                before, after = await webhooks.receive(2)
                assert SECRET not in gateway.output()

        async with Redis.from_url(url) as redis:
            assert await redis.keys("darkroom:webhooks*") == []
    assert before.headers["webhook-id"] == after.headers["webhook-id"]
    assert verified(after)["data"]["id"] == job


async def test_a_gateway_without_a_secret_refuses_a_webhook(gateway_url: str) -> None:
    async with httpx.AsyncClient(base_url=gateway_url, timeout=10) as client:
        refused = await submit(client, "https://agency.example/")

    assert "DARKROOM_WEBHOOK_SECRET" in assert_problem(refused, 422, "invalid_request")
