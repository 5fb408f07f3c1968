"""The consumer of a stream: its background task survives what one entry or member brings about."""

import asyncio

import pytest
from structlog.testing import capture_logs

from services.runtime.capacity import Capacity
from services.runtime.liveness.heartbeat import Heartbeat
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.stream_consumer import StreamConsumer
from services.runtime.redis.client import make_redis
from tests.processes import until
from tests.runtime.echo import settings_for


async def test_entries_are_reclaimed_again_after_an_unexpected_error(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0

    async def failing_once() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise ValueError("a name that cannot be read")

    async def deliver(received: Received) -> None:
        await asyncio.sleep(0)

    settings, redis = settings_for(redis_url), make_redis(settings_for(redis_url))
    heartbeat = Heartbeat(redis, "member", settings, Clock(), capacity=1, report=dict)
    consumer = StreamConsumer(
        "test.members", "group", "member", Capacity(1), heartbeat, redis=redis, graceful_timeout=1
    )
    monkeypatch.setattr(consumer, "_reclaim", failing_once)
    with capture_logs() as logs:
        await consumer.start(deliver)
        await until(lambda: rounds == 2)
        assert consumer.running
        await consumer.stop()
    assert [line["event"] for line in logs] == ["reclaiming entries failed"]
    assert not consumer.running
    await redis.close()
