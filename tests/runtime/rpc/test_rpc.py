"""`broker.request` over every transport: answers, failures, and no worker."""

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pytest
from redis.asyncio import Redis

from contracts.errors import (
    DeadlineExceeded,
    ImageUnreadable,
    Internal,
    InvalidRequest,
    NoWorkers,
    Unavailable,
)
from contracts.methods import GROUP, Transport
from services.runtime.rpc.broker import Broker
from tests.attempts import attempts
from tests.processes import until
from tests.runtime.echo import ECHO, Echo, Ping, broker_on, call, emptied, serving

BOTH_WAYS = pytest.mark.usefixtures("both_ways")
EVERY_TRANSPORT = pytest.mark.parametrize("transport", list(Transport))


@BOTH_WAYS
@EVERY_TRANSPORT
async def test_a_request_is_answered(transport: Transport, caller: Broker, worker: Broker) -> None:
    assert (await call(caller, Ping(text="hello"), transport)).text == "hello"


@BOTH_WAYS
@EVERY_TRANSPORT
async def test_an_answer_has_the_callers_correlation_id_and_the_workers_name(
    transport: Transport, caller: Broker, worker: Broker
) -> None:
    destination: dict[str, Any] = {transport.value: ECHO.address(transport)}
    message = await caller.request(Ping(), **destination, correlation_id="mine")
    assert message.correlation_id == "mine"
    assert message.headers["x-outcome"] == "ok"
    assert message.headers["x-worker"] == worker.worker


@EVERY_TRANSPORT
async def test_a_call_at_any_moment_of_the_start_is_answered_or_refused_as_unavailable(
    transport: Transport, redis_url: str, worker: Broker
) -> None:
    starting_caller = broker_on(redis_url)
    starting = asyncio.create_task(starting_caller.start())
    calls = []
    while not starting.done():
        calls.append(asyncio.create_task(call(starting_caller, Ping(), transport)))
        # Not more than the worker takes, however long the start lasts.
        await asyncio.sleep(0 if len(calls) < 1000 else 0.1)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    await starting_caller.stop()
    assert {type(answer) for answer in answers} == {Ping, Unavailable}


@pytest.mark.serial
@EVERY_TRANSPORT
async def test_two_thousand_calls_at_once_are_all_answered_over_a_few_connections(
    transport: Transport, caller: Broker, worker: Broker, plain: Redis
) -> None:
    pings = [Ping(text=str(number)) for number in range(2000)]
    answers = await asyncio.gather(*(call(caller, ping, transport, 30) for ping in pings))
    assert [answer.text for answer in answers] == [ping.text for ping in pings]
    assert caller.inbox.outstanding == 0
    clients = await plain.info("clients")
    assert clients["connected_clients"] <= 20


@BOTH_WAYS
@EVERY_TRANSPORT
async def test_a_failure_keeps_its_code_on_the_way_to_the_caller(
    transport: Transport, caller: Broker, worker: Broker
) -> None:
    with pytest.raises(ImageUnreadable, match="torn") as caught:
        await call(caller, Ping(then="raise"), transport)
    assert caught.value.retry_after == 3


@BOTH_WAYS
@EVERY_TRANSPORT
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (Ping(then="break"), Internal),
        (Ping(then="unencodable"), Internal),
        ({"nothing": "like it"}, InvalidRequest),
        (b"{broken json", InvalidRequest),
        (b"\xff\x00", InvalidRequest),
    ],
)
async def test_every_kind_of_failure_reaches_the_caller_at_once(
    transport: Transport,
    body: object,
    kind: type[Exception],
    caller: Broker,
    worker: Broker,
) -> None:
    started = time.monotonic()
    with pytest.raises(kind):
        await call(caller, body, transport, timeout=30)
    assert time.monotonic() - started < 10


@pytest.mark.serial
@EVERY_TRANSPORT
async def test_with_no_worker_a_call_fails_at_once_and_leaves_nothing(
    transport: Transport, caller: Broker, plain: Redis
) -> None:
    for attempt in attempts():
        with pytest.raises(NoWorkers):
            await call(caller, Ping(), transport)
        started = time.monotonic()
        with pytest.raises(NoWorkers):
            await call(caller, Ping(), transport)
        took = time.monotonic() - started
        assert await plain.keys("*") == []
        with attempt:
            assert took < 0.1


@EVERY_TRANSPORT
async def test_a_call_does_not_wait_for_a_worker_that_has_stopped(
    transport: Transport, caller: Broker, worker: Broker
) -> None:
    await worker.stop()
    with pytest.raises(NoWorkers):
        await call(caller, Ping(), transport)


@BOTH_WAYS
@EVERY_TRANSPORT
async def test_a_call_ends_at_its_timeout(
    transport: Transport, caller: Broker, worker: Broker
) -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        await call(caller, Ping(then="sleep", seconds=1), transport, timeout=0.2)
    assert isinstance(caught.value, TimeoutError)
    assert caller.inbox.outstanding == 0


@EVERY_TRANSPORT
@pytest.mark.parametrize("timeout", [0.0, 0.0001, 0.0005, 0.002])
async def test_a_timeout_shorter_than_a_round_trip_ends_the_call(
    transport: Transport, timeout: float, caller: Broker, worker: Broker
) -> None:
    """A timeout that coincides with the end of a send must not get lost."""
    calls = [
        asyncio.create_task(call(caller, Ping(then="sleep", seconds=0.5), transport, timeout))
        for _ in range(100)
    ]
    _, hanging = await asyncio.wait(calls, timeout=5)
    assert not hanging
    assert {type(task.exception()) for task in calls} == {DeadlineExceeded}
    assert caller.inbox.outstanding == 0


@BOTH_WAYS
@pytest.mark.parametrize("transport", [Transport.LIST, Transport.STREAM])
async def test_a_request_past_its_deadline_is_never_started(
    transport: Transport, redis_url: str, caller: Broker, echo: Echo
) -> None:
    async with serving(redis_url, echo, capacity=1):
        first = asyncio.create_task(call(caller, Ping(text="first", then="wait"), transport))
        await asyncio.wait_for(echo.started.wait(), 5)
        with pytest.raises(DeadlineExceeded):
            await call(caller, Ping(text="late"), transport, timeout=0.3)
        echo.go_on.set()
        assert (await first).text == "first"
        await emptied(caller, transport)
        assert (await call(caller, Ping(text="next"), transport)).text == "next"
        assert echo.received == ["first", "next"]


@BOTH_WAYS
async def test_an_answered_stream_request_leaves_nothing_behind(
    caller: Broker, worker: Broker, plain: Redis
) -> None:
    for _ in range(20):
        await call(caller, Ping(), Transport.STREAM)
    stream = ECHO.address(Transport.STREAM)
    await worker.stop()
    redis: Redis = plain
    assert await redis.xlen(stream) == 0
    assert (await redis.xpending(stream, GROUP))["pending"] == 0
    assert await redis.xinfo_consumers(stream, GROUP) == []


@BOTH_WAYS
@EVERY_TRANSPORT
async def test_a_graceful_stop_answers_the_requests_being_handled(
    transport: Transport, caller: Broker, worker: Broker, echo: Echo
) -> None:
    calls = [
        asyncio.create_task(call(caller, Ping(text=str(n), then="sleep", seconds=0.5), transport))
        for n in range(5)
    ]
    await until(lambda: len(echo.received) == 5)
    await worker.stop()
    assert [(await waiting).text for waiting in calls] == list("01234")


async def test_publish_reaches_channels_lists_and_streams(caller: Broker, plain: Redis) -> None:
    redis: Redis = plain
    async with aclosing(redis.pubsub()) as subscription:
        await subscription.subscribe("test.channel")
        assert await subscription.get_message(timeout=20)
        assert await caller.publish(Ping(text="a"), channel="test.channel") == 1
    assert await caller.publish(Ping(text="b"), list="test.list") == 1
    for _ in range(3):
        assert await caller.publish(Ping(text="c"), stream="test.stream", maxlen=1000)
    assert await redis.llen("test.list") == 1
    assert await redis.xlen("test.stream") == 3
