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
from services.runtime.messaging import reclaimer
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.destination import DATA_FIELD
from services.runtime.messaging.stream_consumer import StreamConsumer, Taken
from services.runtime.messaging.unreadable import UnknownVersion
from services.runtime.redis.client import RedisClient
from services.runtime.redis.stream_entries import entries_read
from tests.processes import until
from tests.runtime.echo import client_without, settings_for

STREAM = "test.members"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    async with client_without(redis_url, STREAM) as client:
        yield client


class Steady(Heartbeat):
    """The heartbeat of a process that has been connected all the time."""

    @property
    def steady(self) -> bool:
        return True


def member(
    redis: RedisClient,
    *,
    name: str = "member",
    capacity: int = 1,
    steady: bool = False,
    **more: Any,
) -> StreamConsumer:
    """A member that delivers an entry that failed again after 50 ms, 100 ms, ..."""
    settings = settings_for("redis://nowhere", heartbeat_ttl=0.05)
    kind = Steady if steady else Heartbeat
    heartbeat = kind(redis, name, settings, Clock(), capacity=1, report=dict)
    more = {"max_deliveries": 3, "redis": redis, "graceful_timeout": 20, **more}
    return StreamConsumer(STREAM, "group", name, Capacity(capacity), heartbeat, **more)


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
    monkeypatch.setattr(consumer._reclaimer, "_reclaim", failing_once)
    with capture_logs() as logs:
        await consumer.start(deliver)
        await until(lambda: rounds == 2)
        assert consumer.running
        await consumer.stop()
    assert [line["event"] for line in logs] == ["reclaiming entries failed"]
    assert not consumer.running


@pytest.fixture
def _quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reclaimer, "RECLAIM_INTERVAL", 0.02)


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

    entry = await redis.execute("XADD", STREAM, "*", DATA_FIELD, "value")
    consumer = member(redis, give_up=give_up)
    with capture_logs() as logs:
        await consumer.start(deliver)
        await until(lambda: bool(given_up))
        assert consumer._capacity.taken <= 1
        await consumer.stop()
    (received,) = given_up
    assert (received.entry, received.data, received.deliveries) == (
        entry,
        {DATA_FIELD.encode(): b"value"},
        3,
    )
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

    await redis.execute("XADD", STREAM, "*", DATA_FIELD, "value")
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
        ("XADD", STREAM, "*", DATA_FIELD, number) for number in range(3)
    )
    capacity = consumer._capacity
    for _ in range(4):
        capacity.take()
    await consumer.start(deliver)
    await asyncio.wait_for(begun.wait(), 20)
    # Time is the subject: several rounds of the reclaimer, and lives of a heartbeat.
    await asyncio.sleep(0.3)
    assert (delivered, capacity.taken) == ([first], 5)
    go_on.set()
    await until(lambda: delivered == [first, last])
    await consumer.stop()
    assert second not in delivered
    assert await redis.execute("XLEN", STREAM) == 0


@pytest.mark.usefixtures("_quick_rounds")
async def test_an_entry_of_an_unknown_version_waits_for_a_member_that_reads_it(
    redis: RedisClient,
) -> None:
    refused, read = list[bytes](), list[Received]()

    async def refuse(received: Received) -> None:
        refused.append(received.entry or b"")
        raise UnknownVersion("It has version 3.", version=3)

    async def accept(received: Received) -> None:
        read.append(received)

    entry = await redis.execute("XADD", STREAM, "*", DATA_FIELD, "value")
    old = member(redis, versions=frozenset({1, 2}))
    await old.start(refuse)
    await until(lambda: bool(refused))
    # Time is the subject: several rounds, in which the old member must not try again.
    await asyncio.sleep(0.3)
    assert (refused, old._capacity.taken) == ([entry], 0)
    new = member(redis, versions=frozenset({2, 3}), name="new")
    await new.start(accept)
    await until(lambda: bool(read))
    await new.stop()
    await old.stop()
    assert [(received.entry, received.deliveries) for received in read] == [(entry, 2)]
    assert await redis.execute("XLEN", STREAM) == 0


@pytest.mark.usefixtures("_quick_rounds")
async def test_an_entry_that_no_member_could_read_for_long_is_given_up(redis: RedisClient) -> None:
    given_up = list[Exception]()

    async def refuse(received: Received) -> None:
        raise UnknownVersion("It has version 3.", version=3)

    async def give_up(received: Received, exc: Exception) -> None:
        given_up.append(exc)

    await redis.execute("XADD", STREAM, "*", DATA_FIELD, "value")
    consumer = member(redis, unknown_version_wait=0.2, give_up=give_up)
    started = asyncio.get_running_loop().time()
    await consumer.start(refuse)
    await until(lambda: bool(given_up))
    assert asyncio.get_running_loop().time() - started >= 0.2
    await consumer.stop()
    assert isinstance(given_up[0], UnknownVersion)
    assert await redis.execute("XLEN", STREAM) == 0


@pytest.mark.usefixtures("_quick_rounds")
async def test_entries_of_a_dead_member_are_claimed_by_one_when_redis_clock_has_gone_back(
    redis: RedisClient,
) -> None:
    """They count as idle for no time then: the moment of their delivery is to come."""
    got = list[str]()
    await redis.execute("XGROUP", "CREATE", STREAM, "group", "0", "MKSTREAM")
    entries = await redis.pipeline(("XADD", STREAM, "*", DATA_FIELD, n) for n in range(20))
    read = ("XREADGROUP", "GROUP", "group", "dead", "COUNT", 100, "STREAMS", STREAM, ">")
    await redis.execute(*read)
    seconds, _ = await redis.execute("TIME")
    later = 1000 * (int(seconds) + 7200)
    claim = ("XCLAIM", STREAM, "group", "dead", 0, *entries, "TIME", later, "JUSTID")
    await redis.execute(*claim)

    async def deliver(received: Received) -> None:
        got.append((received.entry or b"").decode())

    members = [member(redis, name=name, capacity=50, steady=True) for name in ("one", "two")]
    for each in members:
        await each.start(deliver)
    await until(lambda: len(got) >= 20)
    for each in members:
        await each.stop()
    assert sorted(got) == sorted(entry.decode() for entry in entries)
