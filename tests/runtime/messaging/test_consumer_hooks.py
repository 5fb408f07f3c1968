"""The hooks of a stream's consumer spare trips to Redis, and are asked only where they can."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from services.runtime.capacity import Capacity
from services.runtime.liveness.heartbeat import Heartbeat
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.destination import DATA_FIELD
from services.runtime.messaging.stream_consumer import StreamConsumer, Taken
from services.runtime.redis.client import RedisClient
from tests.processes import until
from tests.runtime.echo import client_without, settings_for

STREAM = "test.hooks"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    async with client_without(redis_url, STREAM) as client:
        yield client


def member(redis: RedisClient, capacity: int, **hooks: Any) -> StreamConsumer:
    settings = settings_for("redis://nowhere")
    heartbeat = Heartbeat(redis, "member", settings, Clock(), capacity=1, report=dict)
    more = {"max_deliveries": 3, "redis": redis, "graceful_timeout": 20, **hooks}
    return StreamConsumer(STREAM, "group", "member", Capacity(capacity), heartbeat, **more)


def _has_taken(consumer: StreamConsumer, taken: int) -> bool:
    return consumer._capacity.taken == taken


async def test_the_hook_is_asked_only_when_no_read_of_the_consumer_waits(
    redis: RedisClient,
) -> None:
    """A read that waits is given the next entry at once, and the hook would find none."""
    begun, go_on = asyncio.Queue[None](), asyncio.Semaphore(0)
    asked: list[int] = []

    async def deliver(received: Received) -> None:
        begun.put_nowait(None)
        await go_on.acquire()

    async def take_next() -> Taken | None:
        asked.append(consumer._capacity.taken)
        return None

    consumer = member(redis, 3, take_next=take_next)
    await consumer.start(deliver)
    for number in range(3):
        await redis.execute("XADD", STREAM, "*", DATA_FIELD, number)
        await asyncio.wait_for(begun.get(), 20)
    for taken in (2, 1, 0):
        go_on.release()
        await until(partial(_has_taken, consumer, taken))
    assert asked == [3]
    await consumer.stop()


@pytest.mark.parametrize("left", [True, False])
async def test_an_entry_that_its_handler_has_removed_is_not_acknowledged_again(
    redis: RedisClient, left: bool
) -> None:
    handled = list[bytes]()

    async def deliver(received: Received) -> None:
        await asyncio.sleep(0)

    def has_left(entry: bytes) -> bool:
        handled.append(entry)
        return left

    consumer = member(redis, 1, has_left=has_left)
    await consumer.start(deliver)
    entry = await redis.execute("XADD", STREAM, "*", DATA_FIELD, "value")
    await until(lambda: handled == [entry])
    await consumer.stop()
    assert await redis.execute("XLEN", STREAM) == left


async def test_a_hook_that_keeps_entries_is_asked_after_a_failure_as_well(
    redis: RedisClient,
) -> None:
    kept = set[bytes]()

    async def deliver(received: Received) -> None:
        assert received.entry is not None
        kept.add(received.entry)
        begun.set()
        raise ConnectionError

    def has_left(entry: bytes) -> bool:
        left = entry in kept
        kept.discard(entry)
        return left

    begun = asyncio.Event()
    consumer = member(redis, 1, has_left=has_left)
    await consumer.start(deliver)
    await redis.execute("XADD", STREAM, "*", DATA_FIELD, "value")
    await asyncio.wait_for(begun.wait(), 20)
    await consumer.stop()
    assert not kept
