"""Deadlines follow Redis's clock, and nested calls inherit them."""

import asyncio
import time

import pytest
from faststream.redis import RedisMessage, RedisResponse

from contracts.errors import DeadlineExceeded
from contracts.methods import Method, Transport
from services.runtime.liveness.server_clock import Clock
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.deadlines import remaining
from tests.attempts import attempts
from tests.processes import until
from tests.runtime.echo import Echo, Ping, broker_on, call

NESTED: Method[Ping, Ping] = Method("test.nested", Ping, Ping)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("hours", [-1, 1])
async def test_hosts_whose_clocks_differ_agree_on_deadlines(
    hours: int, redis_url: str, worker: Broker, echo: Echo
) -> None:
    off = broker_on(redis_url, clock=Clock(lambda: time.time() + hours * 3600))
    await off.start()
    try:
        assert (await call(off, Ping(text="hello"), Transport.STREAM, timeout=20)).text == "hello"
        late = asyncio.create_task(
            call(off, Ping(then="sleep", seconds=9), Transport.STREAM, timeout=0.5)
        )
        with pytest.raises(DeadlineExceeded):
            await late
        assert off.clock.now() == pytest.approx(time.time(), abs=60)
    finally:
        await off.stop()


@pytest.mark.serial
async def test_a_nested_call_gets_the_time_that_the_outer_call_has_left(
    caller: Broker, worker: Broker, redis_url: str
) -> None:
    left: list[float] = []

    async def nest(request: Ping, message: RedisMessage) -> RedisResponse:
        left.append(remaining() or 0)
        started = time.monotonic()
        try:
            await call(middle, Ping(then="sleep", seconds=20), Transport.STREAM, timeout=20)
        finally:
            left.append(time.monotonic() - started)
        return RedisResponse(request)

    middle = broker_on(redis_url)
    middle.serve(NESTED, nest)
    await middle.start()
    try:
        for attempt in attempts():
            left.clear()
            with pytest.raises(DeadlineExceeded):
                await caller.request(Ping(), stream=NESTED.address(Transport.STREAM), timeout=1)
            with attempt:
                # A request that comes too late is not handled.
                await until(lambda: len(left) == 2)
                given, used = left
                assert 0.5 < given <= 1.05
                assert used <= 1.1
    finally:
        await middle.stop()
