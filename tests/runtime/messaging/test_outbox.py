"""Out of band: never in the way, bounded, told of failures, flushed at the stop."""

import asyncio
import time
from pathlib import Path

from contracts.methods import Transport
from contracts.usage import USAGE
from services.runtime.messaging.outbox import Outbox
from services.runtime.redis.client import make_redis
from services.runtime.rpc.broker import Broker
from tests.processes import mortal_valkey
from tests.runtime.echo import Echo, Ping, broker_on, call, settings_for


async def test_publishing_soon_delivers_and_tells(caller: Broker) -> None:
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    caller.publish_soon(Ping(text="note"), stream="test.notes", on_delivery=told.set_result)
    assert await asyncio.wait_for(told, 2) is None
    assert await caller.redis.xlen("test.notes") == 1


async def test_a_full_outbox_refuses_at_once_and_tells(redis_url: str) -> None:
    outcomes: list[Exception | None] = []
    redis = make_redis(settings_for(redis_url))
    outbox = Outbox(redis, capacity=3)
    for _ in range(5):
        outbox.publish_soon(Ping(), stream="test.full", on_delivery=outcomes.append)
    assert outbox.failures == 2
    assert [type(outcome).__name__ for outcome in outcomes] == ["Overloaded", "Overloaded"]
    await outbox.start()
    await outbox.stop()
    assert outcomes[2:] == [None, None, None], "what had room is flushed at the stop"
    await redis.connection_pool.disconnect()


async def test_a_callback_that_fails_harms_nobody(caller: Broker) -> None:
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def broken(outcome: Exception | None) -> None:
        raise ZeroDivisionError

    caller.publish_soon(Ping(), stream="test.notes", on_delivery=broken)
    caller.publish_soon(Ping(), stream="test.notes", on_delivery=told.set_result)
    assert await asyncio.wait_for(told, 2) is None


async def test_usage_records_follow_the_answers(caller: Broker, worker: Broker, echo: Echo) -> None:
    for _ in range(3):
        await call(caller, Ping(), Transport.STREAM)
    await worker.stop()
    assert await caller.redis.xlen(USAGE) == 3


async def test_without_redis_the_failures_are_told_and_nothing_waits(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        broker = broker_on(server.url)
        await broker.start()
        server.kill()
        outcomes: list[Exception | None] = []
        started = time.monotonic()
        for _ in range(100):
            broker.publish_soon(Ping(), stream="test.lost", on_delivery=outcomes.append)
        assert time.monotonic() - started < 0.05
        async with asyncio.timeout(5):
            await broker.stop()
        assert len(outcomes) == 100
        assert all(isinstance(outcome, Exception) for outcome in outcomes)
        assert broker.outbox.failures == 100
