"""Channels with several workers: exactly one worker handles each request."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from faststream.exceptions import SetupError
from faststream.redis import RedisBroker
from redis.asyncio import Redis

from contracts.methods import Transport
from services.runtime.redis import keys
from services.runtime.rpc.broker import Broker
from tests.processes import alive_until
from tests.runtime.echo import ECHO, Echo, Ping, broker_on, call, serving

CHANNEL = ECHO.address(Transport.CHANNEL)


@pytest.fixture
def other_echo() -> Echo:
    return Echo()


@pytest.fixture
async def other(redis_url: str, worker: Broker, other_echo: Echo) -> AsyncIterator[Broker]:
    """A worker with half the capacity of `worker`."""
    async with serving(redis_url, other_echo, capacity=1000) as broker:
        yield broker


async def ask(caller: Broker, number: int, **destination: Any) -> str:
    destination = destination or {"channel": CHANNEL}
    message = await caller.request(Ping(text=str(number)), **destination, timeout=20)
    return str(message.headers["x-worker"])


async def test_requests_go_to_one_worker_each_in_proportion_to_capacity(
    caller: Broker, worker: Broker, other: Broker, echo: Echo, other_echo: Echo, plain: Redis
) -> None:
    for number in range(60):
        await ask(caller, number)
    assert sorted(map(int, echo.received + other_echo.received)) == list(range(60))
    assert len(echo.received) == pytest.approx(40, abs=3)
    assert await plain.keys("darkroom:claim:*") == [], "no claim is needed"


async def test_a_worker_that_has_just_died_is_passed_over(
    caller: Broker, worker: Broker, other: Broker, plain: Redis
) -> None:
    redis: Redis = plain
    await redis.zadd(keys.responders(CHANNEL), {"died-just-now": alive_until()})
    await redis.hset(keys.capacities(CHANNEL), "died-just-now", "100000")
    assert Counter([await ask(caller, number) for number in range(20)]).keys() <= {
        worker.worker,
        other.worker,
    }


async def test_a_request_published_to_every_worker_is_answered_by_the_first_to_claim(
    redis_url: str,
    caller: Broker,
    worker: Broker,
    other: Broker,
    echo: Echo,
    other_echo: Echo,
    plain: Redis,
) -> None:
    """FastStream's own client publishes to the shared channel."""
    async with RedisBroker(redis_url) as stranger:
        for number in range(30):
            answer = await stranger.request(Ping(text=str(number)), channel=CHANNEL, timeout=5)
            assert Ping.model_validate_json(answer.body).text == str(number)
    assert sorted(map(int, echo.received + other_echo.received)) == list(range(30))
    claims = await plain.keys("darkroom:claim:*")
    assert len(claims) == 30
    assert all([await plain.pttl(claim) > 0 for claim in claims]), "claims expire"


async def test_a_worker_without_a_heartbeat_is_reached(caller: Broker) -> None:
    """FastStream's own worker subscribes to the shared channel and has no heartbeat."""
    plain = RedisBroker(caller.settings.redis_url)

    @plain.subscriber(CHANNEL)
    async def echo(ping: Ping) -> Ping:
        return ping

    async with plain:
        await plain.start()
        assert (await call(caller, Ping(text="hello"), Transport.CHANNEL)).text == "hello"


async def test_requests_published_before_a_stop_are_answered(
    caller: Broker, worker: Broker, other: Broker, echo: Echo, other_echo: Echo
) -> None:
    calls = [asyncio.create_task(ask(caller, number)) for number in range(400)]
    await echo.started.wait()
    await worker.stop()
    await asyncio.gather(*calls)
    assert sorted(map(int, echo.received + other_echo.received)) == list(range(400))


async def test_a_stop_does_not_wait_for_a_redis_that_is_gone(
    redis_url: str, echo: Echo, plain: Redis
) -> None:
    broker = broker_on(redis_url)
    broker.serve(ECHO, echo.__call__)
    await broker.start()
    await plain.client_kill_filter(_type="pubsub")
    async with asyncio.timeout(5):
        await broker.stop()


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("addresses", [{}, {"channel": CHANNEL, "list": "test.other"}])
async def test_a_message_has_one_address(caller: Broker, addresses: dict[str, Any]) -> None:
    with pytest.raises(SetupError):
        await caller.request(Ping(), **addresses)
    with pytest.raises(SetupError):
        await caller.publish(Ping(), **addresses)
