"""Publishing out of band: never blocks, is bounded, reports failures, is flushed at the stop."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.methods import Transport
from contracts.usage import USAGE
from services.runtime.messaging.outbox import Outbox
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.rpc.broker import Broker
from tests.attempts import attempts
from tests.processes import mortal_valkey, until
from tests.runtime.echo import Echo, Ping, broker_on, call, settings_for


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    redis = make_redis(settings_for(redis_url))
    yield redis
    await redis.close()


async def test_publish_soon_delivers_and_calls_back(caller: Broker) -> None:
    delivered: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    caller.publish_soon(Ping(text="note"), stream="test.notes", on_delivery=delivered.set_result)
    assert await asyncio.wait_for(delivered, 20) is None
    assert await caller.redis.execute("XLEN", "test.notes") == 1


async def test_a_full_outbox_refuses_at_once_and_calls_back(redis: RedisClient) -> None:
    outcomes: list[Exception | None] = []
    outbox = Outbox(redis, capacity=3)
    for _ in range(5):
        outbox.publish_soon(Ping(), stream="test.full", on_delivery=outcomes.append)
    assert outbox.failures == 2
    assert [type(outcome).__name__ for outcome in outcomes] == ["Overloaded", "Overloaded"]
    await outbox.stop()
    assert outcomes[2:] == [None, None, None], "the accepted messages are flushed at the stop"


async def test_a_callback_that_fails_harms_no_other_message(caller: Broker) -> None:
    delivered: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def broken(outcome: Exception | None) -> None:
        raise ZeroDivisionError

    caller.publish_soon(Ping(), stream="test.notes", on_delivery=broken)
    caller.publish_soon(Ping(), stream="test.notes", on_delivery=delivered.set_result)
    assert await asyncio.wait_for(delivered, 20) is None


async def test_a_message_that_cannot_be_sent_harms_no_other(redis: RedisClient) -> None:
    outbox = Outbox(redis)
    outcomes: list[Exception | None] = []
    outbox.publish_soon(Ping(text="no destination"), on_delivery=outcomes.append)
    outbox.publish_soon(Ping(text="sound"), channel="test.somewhere", on_delivery=outcomes.append)
    await outbox.stop()
    assert isinstance(outcomes[0], Exception)
    assert outcomes[1] is None
    assert outbox.failures == 1
    outbox.publish_soon(
        Ping(text="too late"), channel="test.somewhere", on_delivery=outcomes.append
    )
    assert len(outcomes) == 3
    assert outcomes[2] is not None


async def test_messages_that_a_hung_redis_does_not_take_have_failed_after_the_stop(
    tmp_path: Path,
) -> None:
    with mortal_valkey(tmp_path) as server:
        redis = make_redis(settings_for(server.url))
        outbox = Outbox(redis)
        outcomes: list[Exception | None] = []
        server.pause()
        for _ in range(5):
            outbox.publish_soon(Ping(), channel="test.somewhere", on_delivery=outcomes.append)
        await outbox.stop(timeout=0.5)
        assert len(outcomes) == 5
        assert None not in outcomes
        assert outbox.failures == 5
        server.resume()
        await redis.close()


async def test_each_answer_has_its_usage_record(caller: Broker, worker: Broker, echo: Echo) -> None:
    for _ in range(3):
        await call(caller, Ping(), Transport.STREAM)
    await worker.stop()
    assert await caller.redis.execute("XLEN", USAGE) == 3


@pytest.mark.serial
async def test_without_redis_failures_are_reported_and_nothing_blocks(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        broker = broker_on(server.url)
        await broker.start()
        server.kill()
        outcomes: list[Exception | None] = []
        published = 0
        for attempt in attempts():
            started = time.monotonic()
            for _ in range(100):
                broker.publish_soon(Ping(), stream="test.lost", on_delivery=outcomes.append)
            took = time.monotonic() - started
            published += 100
            with attempt:
                assert took < 0.05
        stopping = asyncio.create_task(broker.stop())
        await until(stopping.done)
        assert len(outcomes) == published
        assert all(isinstance(outcome, Exception) for outcome in outcomes)
        assert broker.outbox.failures == published


async def test_a_cancellation_does_not_wait_for_as_long_as_a_record(redis: RedisClient) -> None:
    for attempt in attempts():
        outbox, due = Outbox(redis), list[float]()
        for stream, channel in (("test.notes", None), (None, "test.cancels")) * 2:
            outbox.publish_soon(Ping(), stream=stream, channel=channel)
            assert outbox._flush_timer is not None
            due.append(outbox._flush_timer.when())
        await outbox.stop()
        assert due[1:] == [due[1]] * 3, "what comes later delays nothing"
        with attempt:
            assert due[0] - due[1] > 0.08
