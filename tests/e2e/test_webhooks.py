"""Webhooks through the gateway as it runs: asked for over HTTP, told though a gateway is killed."""

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

SOON = {
    "DARKROOM_WEBHOOK_SECRET": SECRET,
    "DARKROOM_WEBHOOK_ALLOW_PRIVATE": "true",
    "DARKROOM_WEBHOOK_TIMEOUT": "2",
    "DARKROOM_WEBHOOK_LEASE": "3",
}


async def asked(client: httpx.AsyncClient, webhook: str) -> httpx.Response:
    image = (await client.post("/v1/images", content=encoded(scenery(9, 6), "PNG"))).json()["id"]
    job = {"source": {"image": image}, "variants": [{}], "webhook": {"url": webhook}}
    return await client.post("/v1/jobs", json=job)


async def test_a_killed_gateway_loses_no_webhook() -> None:
    with valkey() as server, faststream("imaging", url := str(server.connection_url)):
        async with receiver(asyncio.Event()) as hearing:
            with faststream("gateway", url, env=SOON) as gateway:
                async with httpx.AsyncClient(base_url=gateway.url, timeout=10) as client:
                    job = (await asked(client, hearing.url)).json()["id"]
                    await hearing.receive(1)
                    os.killpg(gateway.process.pid, signal.SIGKILL)
            with faststream("gateway", url, env=SOON) as gateway:
                before, after = await hearing.receive(2)
                assert SECRET not in gateway.output()

        async with Redis.from_url(url) as redis:
            assert await redis.keys("darkroom:webhooks*") == []
    assert before.headers["webhook-id"] == after.headers["webhook-id"]
    assert verified(after)["data"]["id"] == job


async def test_a_gateway_without_a_secret_refuses_a_webhook(gateway_url: str) -> None:
    async with httpx.AsyncClient(base_url=gateway_url, timeout=10) as client:
        refused = await asked(client, "https://agency.example/")

    assert "DARKROOM_WEBHOOK_SECRET" in assert_problem(refused, 422, "invalid_request")
