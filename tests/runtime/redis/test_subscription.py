"""Messages of channels: none is missed while subscribed, and a lost connection is reported."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from services.runtime.redis.client import RedisClient


async def test_messages_arrive_until_the_subscription_ends(redis: RedisClient) -> None:
    heard: list[tuple[str, bytes]] = []
    subscription = redis.subscribe("one", "two", on_message=lambda *said: heard.append(said))
    await subscription.listen()
    await redis.execute("PUBLISH", "one", "first")
    await redis.execute("PUBLISH", "two", "second")
    subscription.unsubscribe()
    await asyncio.wait_for(subscription.end(), 20)
    assert await redis.execute("PUBLISH", "one", "too late") == 0
    assert heard == [("one", b"first"), ("two", b"second")]
    await subscription.aclose()


async def test_a_lost_connection_is_reported_and_listen_opens_a_new_one(
    redis: RedisClient,
) -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    subscription = redis.subscribe(pattern="any.*", on_message=lambda *said: heard.put_nowait(said))
    await subscription.listen()
    await redis.execute("CLIENT", "KILL", "TYPE", "PUBSUB")
    with pytest.raises(RedisConnectionError):
        await asyncio.wait_for(subscription.end(), 20)
    await subscription.listen()
    await redis.execute("PUBLISH", "any.thing", "again")
    assert await asyncio.wait_for(heard.get(), 20) == ("any.thing", b"again")
    await subscription.aclose()
