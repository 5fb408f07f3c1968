"""A caller who leaves cancels its request: running work stops, waiting work never starts."""

import asyncio
import time

import pytest

from contracts.control import Cancel
from contracts.methods import Transport
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.claims import Claims
from tests.attempts import attempts
from tests.processes import until
from tests.runtime.echo import ECHO, Echo, Ping, call, emptied, serving

EVERY_TRANSPORT = pytest.mark.parametrize("transport", list(Transport))


async def leave(waiting: asyncio.Task[Ping]) -> None:
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.usefixtures("both_ways")
@EVERY_TRANSPORT
async def test_running_work_is_stopped_when_its_caller_leaves(
    transport: Transport, caller: Broker, worker: Broker, echo: Echo
) -> None:
    waiting = asyncio.create_task(call(caller, Ping(then="sleep", seconds=30), transport, 30))
    await asyncio.wait_for(echo.started.wait(), 5)
    await leave(waiting)
    await until(echo.stopped.is_set)
    # The worker serves the next request and does not repeat the cancelled one.
    assert (await call(caller, Ping(text="next"), transport)).text == "next"
    assert len(echo.received) == 2
    await emptied(caller, transport)


@pytest.mark.parametrize("transport", [Transport.LIST, Transport.STREAM])
async def test_waiting_work_never_starts_once_its_caller_has_left(
    transport: Transport, redis_url: str, caller: Broker, echo: Echo
) -> None:
    async with serving(redis_url, echo, capacity=1) as worker:
        first = asyncio.create_task(call(caller, Ping(text="first", then="wait"), transport))
        await asyncio.wait_for(echo.started.wait(), 5)
        second = asyncio.create_task(call(caller, Ping(text="second"), transport))
        await asyncio.sleep(0.2)  # time is the subject: a busy worker leaves the request queued
        await leave(second)
        await until(lambda: bool(worker.cancellations._cancelled))
        echo.go_on.set()
        await first
        await emptied(caller, transport)
        assert (await call(caller, Ping(text="third"), transport)).text == "third"
        assert echo.received == ["first", "third"]


async def test_a_cancellation_that_comes_during_the_claim_is_heard(
    caller: Broker, worker: Broker, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed: list[str] = []

    async def claim(self: Claims, subject: str) -> None:
        worker.cancellations.cancel(Cancel(subject=subject))
        claimed.append(subject)

    monkeypatch.setattr(Claims, "claim", claim)
    shared = ECHO.address(Transport.CHANNEL)
    await caller.publish(Ping(text="left"), channel=shared, reply_to="test.nobody")
    await until(lambda: bool(claimed))
    assert (await call(caller, Ping(text="next"), Transport.LIST)).text == "next"
    assert echo.received == ["next"]


@pytest.mark.serial
async def test_a_cancelled_call_returns_at_once(caller: Broker, worker: Broker, echo: Echo) -> None:
    for attempt in attempts():
        echo.started.clear()
        echo.stopped.clear()
        waiting = asyncio.create_task(
            call(caller, Ping(then="sleep", seconds=30), Transport.STREAM, 30)
        )
        await until(echo.started.is_set)
        left = time.monotonic()
        await leave(waiting)
        took = time.monotonic() - left
        assert caller.inbox.outstanding == 0
        # Else the worker's stop would wait for the work.
        await until(echo.stopped.is_set)
        with attempt:
            assert took < 0.1
