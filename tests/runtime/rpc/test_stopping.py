"""A stop loses no request, and a listener that dies fails calls and the start at once."""

import asyncio

import pytest

from contracts.errors import Unavailable
from contracts.methods import Transport
from services.runtime.redis.subscription import Subscription
from services.runtime.rpc.broker import Broker
from tests.runtime.echo import ECHO, Echo, Ping, broker_on, call


@pytest.mark.parametrize("transport", [Transport.LIST, Transport.STREAM])
async def test_a_backlog_loses_nothing_when_one_of_two_workers_stops(
    transport: Transport, redis_url: str, caller: Broker
) -> None:
    echo = Echo()
    first, second = (broker_on(redis_url, capacity=12) for _ in range(2))
    for broker in (first, second):
        broker.serve(ECHO, echo.__call__)
        await broker.start()
    calls = [
        asyncio.create_task(call(caller, Ping(text=str(n), then="sleep", seconds=0.2), transport))
        for n in range(40)
    ]
    await asyncio.wait_for(echo.started.wait(), 5)
    await first.stop()
    answers = await asyncio.gather(*calls)
    await second.stop()
    assert [answer.text for answer in answers] == [str(n) for n in range(40)]
    assert sorted(echo.received, key=int) == [str(n) for n in range(40)], "each is handled once"


async def test_calls_fail_at_once_while_the_inbox_does_not_listen(
    caller: Broker, worker: Broker
) -> None:
    assert caller.inbox.listening
    listener = caller.inbox._listener
    assert listener is not None
    listener.cancel()
    await asyncio.wait([listener], timeout=20)
    assert not caller.inbox.listening, "/health/ready reports it"
    with pytest.raises(Unavailable):
        await call(caller, Ping(), Transport.STREAM)


async def test_a_listener_that_dies_at_the_start_fails_the_start(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(subscription: Subscription) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Subscription, "listen", broken)
    broker = broker_on(redis_url)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(broker.start(), 20)
    await broker.stop()
