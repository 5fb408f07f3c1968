"""The consumer of a channel: a stop accepts nothing more, and finishes what was accepted."""

import asyncio

import pytest
from redis.asyncio import Redis

from services.runtime.capacity import Capacity
from services.runtime.messaging import consumer as consumer_module
from services.runtime.messaging.channel_consumer import ChannelConsumer
from services.runtime.messaging.consumer import Received
from services.runtime.redis.client import make_redis
from tests.processes import until
from tests.runtime.echo import settings_for


async def test_a_stop_after_a_lost_connection_finishes_every_accepted_message(
    redis_url: str, plain: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in production: long enough for the reader to subscribe again during the stop.
    monkeypatch.setattr(consumer_module, "POLL", 0.5)
    accepted, finished = 0, 0

    async def deliver(received: Received) -> None:
        nonlocal accepted, finished
        accepted += 1
        await asyncio.sleep(0.3)  # messages must be in progress at the stop
        finished += 1

    async def keep_publishing() -> None:
        while True:
            await plain.publish("test.channel", b"message")
            await asyncio.sleep(0.01)

    redis = make_redis(settings_for(redis_url))
    consumer = ChannelConsumer(
        "test.channel", "test.own", Capacity(1000), redis, graceful_timeout=20
    )
    await consumer.start(deliver)
    publishing = asyncio.create_task(keep_publishing())
    await until(lambda: accepted > 0)
    await plain.client_kill_filter(_type="pubsub")
    async with asyncio.timeout(20):
        await consumer.stop()
    at_the_stop = accepted
    assert finished == accepted
    # Nobody is subscribed any more.
    assert await plain.publish("test.channel", b"message") == 0
    assert accepted == at_the_stop
    publishing.cancel()
    await redis.close()
