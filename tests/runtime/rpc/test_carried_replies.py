"""A reply that a step in Redis carries reaches its caller, and removes its request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from faststream.redis import RedisMessage
from redis.asyncio import Redis

from contracts.errors import ImageUnreadable
from contracts.methods import GROUP, Transport
from services.runtime.messaging.stream_consumer import StreamConsumer
from services.runtime.rpc import serving
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.serving import Reply
from services.runtime.tasks import end
from tests.processes import until
from tests.runtime.echo import ECHO, PassThrough, Ping, broker_on, call, emptied

STREAM = ECHO.address(Transport.STREAM)


class Carrying:
    """Handler whose replies leave by a transaction of its own, where that is offered."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.carried = list[bool]()
        self.go_on = asyncio.Event()

    async def __call__(self, request: Ping, message: RedisMessage) -> Reply:
        reply = Reply(request, correlation_id=message.correlation_id)
        follow_up = self._broker.carry(message, reply)
        self.carried.append(follow_up is not None)
        if follow_up is not None:
            await self._broker.redis.transaction(follow_up.commands)
            if request.then != "break":  # A lost connection hides that the commands have run.
                follow_up.on_run()
        if request.then == "sleep":
            await self.go_on.wait()
        if request.then in ("raise", "break"):
            raise ImageUnreadable("Too late.")
        return reply


@asynccontextmanager
async def worker_on(redis_url: str) -> AsyncIterator[tuple[Broker, Carrying]]:
    broker = broker_on(redis_url)
    handler = Carrying(broker)
    broker.serve(ECHO, handler.__call__)
    await broker.start()
    try:
        yield broker, handler
    finally:
        await broker.stop()


@asynccontextmanager
async def counted_replies(plain: Redis) -> AsyncIterator[list[bytes]]:
    """Collect what is published to reply channels within the context."""
    replies = list[bytes]()
    async with plain.pubsub() as subscription:
        await subscription.psubscribe("darkroom.replies.*")
        await subscription.get_message(timeout=5)

        async def collect() -> None:
            async for message in subscription.listen():
                replies.append(message["data"])

        collecting = asyncio.create_task(collect())
        try:
            yield replies
        finally:
            await end(collecting)


async def test_a_carried_reply_reaches_its_caller_once_and_leaves_no_entry(
    redis_url: str, caller: Broker, plain: Redis
) -> None:
    async with worker_on(redis_url) as (worker, handler), counted_replies(plain) as replies:
        assert (await call(caller, Ping(text="one"), Transport.STREAM)).text == "one"
        await emptied(caller, Transport.STREAM)
        # The last reply comes after all that were sent before it.
        assert (await call(caller, Ping(text="two"), Transport.LIST)).text == "two"
        await until(lambda: any(b'"two"' in reply for reply in replies))
        assert (len(replies), handler.carried) == (2, [True, False])
        assert b"x-outcome" in replies[0]
        metrics = worker.metrics.text().decode()
    answered = 'outcome="ok",side="server",transport="stream"'
    assert [line for line in metrics.splitlines() if answered in line and "_count" in line]


async def test_the_entry_is_gone_when_the_reply_comes_and_needs_no_acknowledgement(
    redis_url: str, caller: Broker, plain: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged = list[bytes]()
    monkeypatch.setattr(
        StreamConsumer, "_acknowledge_soon", lambda _, entry: acknowledged.append(entry)
    )
    async with worker_on(redis_url) as (_, handler):
        assert (await call(caller, Ping(then="sleep"), Transport.STREAM)).then == "sleep"
        assert await plain.xlen(STREAM) == 0
        pending = await plain.xpending(STREAM, GROUP)
        assert pending["pending"] == 0
        handler.go_on.set()
    assert acknowledged == []


@pytest.mark.parametrize("then", ["raise", "break"])
async def test_a_failure_after_a_carried_reply_changes_nothing_for_the_caller(
    redis_url: str, caller: Broker, then: str
) -> None:
    async with worker_on(redis_url) as (_, handler):
        ping = Ping.model_validate({"then": then})
        assert (await call(caller, ping, Transport.STREAM)).then == then
        assert (await call(caller, Ping(text="next"), Transport.STREAM)).text == "next"
        await emptied(caller, Transport.STREAM)
    assert handler.carried == [True, True]


async def test_a_worker_with_many_requests_sends_replies_together_and_carries_none(
    redis_url: str, caller: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "FEW", 1)
    async with worker_on(redis_url) as (_, handler):
        first = asyncio.create_task(call(caller, Ping(then="sleep"), Transport.STREAM))
        await until(lambda: handler.carried == [True])
        assert (await call(caller, Ping(text="two"), Transport.STREAM)).text == "two"
        handler.go_on.set()
        await first
        await emptied(caller, Transport.STREAM)
    assert handler.carried == [True, False]


@pytest.mark.parametrize("transport", [Transport.CHANNEL, Transport.LIST])
async def test_a_request_without_an_entry_is_answered_as_ever(
    redis_url: str, caller: Broker, transport: Transport
) -> None:
    async with worker_on(redis_url) as (_, handler):
        assert (await call(caller, Ping(text="one"), transport)).text == "one"
    assert handler.carried == [False]


async def test_no_reply_goes_past_the_middlewares_of_others(redis_url: str, caller: Broker) -> None:
    async with worker_on(redis_url) as (worker, handler):
        worker.add_middleware(PassThrough)
        assert (await call(caller, Ping(text="one"), Transport.STREAM)).text == "one"
    assert handler.carried == [False]
