"""The consumer of a stream: its background task survives what one entry or member brings about."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from services.runtime.capacity import Capacity
from services.runtime.liveness.heartbeat import Heartbeat
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging import stream_consumer
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.stream_consumer import StreamConsumer, Taken
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.redis.stream_entries import entries_read
from tests.processes import until
from tests.runtime.echo import settings_for

STREAM = "test.members"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = make_redis(settings_for(redis_url))
    await client.execute("DEL", STREAM)
    yield client
    await client.close()


def member(redis: RedisClient, *, capacity: int = 1, **hooks: Any) -> StreamConsumer:
    """A member that delivers an entry that failed again after 50 ms, 100 ms, ..."""
    settings = settings_for("redis://nowhere", heartbeat_ttl=0.05)
    heartbeat = Heartbeat(redis, "member", settings, Clock(), capacity=1, report=dict)
    hooks = {"max_deliveries": 3, **hooks}
    more: Any = {"redis": redis, "graceful_timeout": 1, **hooks}
    return StreamConsumer(STREAM, "group", "member", Capacity(capacity), heartbeat, **more)


async def test_entries_are_reclaimed_again_after_an_unexpected_error(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0

    async def failing_once() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise ValueError("a name that cannot be read")

    async def deliver(received: Received) -> None:
        await asyncio.sleep(0)

    consumer = member(redis)
    monkeypatch.setattr(consumer, "_reclaim", failing_once)
    with capture_logs() as logs:
        await consumer.start(deliver)
        await until(lambda: rounds == 2)
        assert consumer.running
        await consumer.stop()
    assert [line["event"] for line in logs] == ["reclaiming entries failed"]
    assert not consumer.running


@pytest.fixture
def _quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_consumer, "RECLAIM_INTERVAL", 0.02)


@pytest.mark.usefixtures("_quick_rounds")
async def test_an_entry_that_always_fails_is_given_up_after_its_last_delivery(
    redis: RedisClient,
) -> None:
    loop, delivered, given_up = asyncio.get_running_loop(), list[float](), list[Received]()

    async def deliver(received: Received) -> None:
        delivered.append(loop.time())
        raise ZeroDivisionError

    async def give_up(received: Received, exc: Exception) -> None:
        assert isinstance(exc, ZeroDivisionError)
        given_up.append(received)

    entry = await redis.execute("XADD", STREAM, "*", "name", "value")
    consumer = member(redis, give_up=give_up)
    with capture_logs() as logs:
        await consumer.start(deliver)
        await until(lambda: bool(given_up))
        assert consumer._capacity.taken <= 1
        await consumer.stop()
    (received,) = given_up
    assert (received.entry, received.data, received.deliveries) == (entry, {b"name": b"value"}, 3)
    first, second, third = delivered
    assert (second - first >= 0.05, third - second >= 0.1) == (True, True)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [
        *["message failed"] * 3,
        "message given up",
    ]
    assert await redis.execute("XLEN", STREAM) == 0


@pytest.mark.usefixtures("_quick_rounds")
async def test_a_delivery_that_an_outage_ended_does_not_count(redis: RedisClient) -> None:
    outcomes: list[Exception] = [RedisConnectionError("away")] * 4
    counts: list[int] = []

    async def deliver(received: Received) -> None:
        counts.append(received.deliveries)
        if outcomes:
            raise outcomes.pop()

    await redis.execute("XADD", STREAM, "*", "name", "value")
    consumer = member(redis)
    await consumer.start(deliver)
    await until(lambda: len(counts) == 5)
    await consumer.stop()
    assert counts == [1] * 5


@pytest.mark.usefixtures("_quick_rounds")
async def test_entries_that_a_consumer_takes_by_the_hook_are_its_own(redis: RedisClient) -> None:
    """They are not reclaimed, however long they take, and one that fails is delivered again."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    delivered: list[bytes] = []

    async def deliver(received: Received) -> None:
        assert received.entry is not None
        delivered.append(received.entry)

    async def handle(*, fails: bool) -> bool:
        begun.set()
        await go_on.wait()
        if fails:
            raise ZeroDivisionError
        return False

    async def take_next() -> Taken | None:
        read = ("XREADGROUP", "GROUP", "group", "member", "COUNT", 1, "STREAMS", STREAM, ">")
        for entry, fields in entries_read(await redis.execute(*read)):
            return Taken(Received(STREAM, fields, entry), partial(handle, fails=entry == last))
        return None

    consumer = member(redis, capacity=5, take_next=take_next)
    await redis.execute("XGROUP", "CREATE", STREAM, "group", "0", "MKSTREAM")
    first, second, last = await redis.pipeline(
        ("XADD", STREAM, "*", "name", number) for number in range(3)
    )
    capacity = consumer._capacity
    for _ in range(4):
        capacity.take()
    await consumer.start(deliver)
    await asyncio.wait_for(begun.wait(), 5)
    # Time is the subject: several rounds of the reclaimer, and lives of a heartbeat.
    await asyncio.sleep(0.3)
    assert (delivered, capacity.taken) == ([first], 5)
    go_on.set()
    await until(lambda: delivered == [first, last])
    await consumer.stop()
    assert second not in delivered
    assert await redis.execute("XLEN", STREAM) == 0
