"""Readiness: what makes it red, and what it only notes."""

import time

import httpx
from structlog.testing import capture_logs

from services.runtime.introspection.health import health_routes
from services.runtime.liveness.server_clock import Clock
from services.runtime.rpc.broker import Broker
from tests.runtime.echo import broker_on


async def readiness(broker: Broker) -> httpx.Response:
    transport = httpx.ASGITransport(dict(health_routes(broker))["/health/ready"])
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.get("/health/ready")


async def test_a_wrong_clock_is_a_note_a_metric_and_one_line_of_the_log(redis_url: str) -> None:
    broker = broker_on(
        redis_url, clock=Clock(host=lambda: time.time() + 7), heartbeat_interval=0.05
    )
    with capture_logs() as logs:
        await broker.start()
        ready = await readiness(broker)
        await broker.stop()

    assert ready.status_code == 200
    assert ready.json()["clock"] == "This host's clock is 7.0 s ahead of Redis's."
    assert b"darkroom_clock_skew_seconds" in broker.metrics.text()
    assert 6.9 < broker.clock.skew < 7.1
    assert [line["seconds"] for line in logs if line["event"] == "clock differs from redis"] == [
        7.0
    ]


async def test_the_end_of_the_watch_makes_readiness_red(caller: Broker) -> None:
    assert (await readiness(caller)).json()["watch"] == "ok"

    await caller.store.stop()

    ready = await readiness(caller)
    assert (ready.status_code, ready.json()["watch"]) == (503, "not ok")
