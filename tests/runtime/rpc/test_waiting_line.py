"""A call that finds a full queue waits for a place, in order, for as long as it has patience."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from contracts.errors import Overloaded, Unavailable
from contracts.methods import Transport
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.waiting_line import Send, WaitingLine
from tests.processes import until, until_answer
from tests.runtime.echo import ECHO, Echo, Ping, broker_on, call, serving


@pytest.fixture
async def patient(redis_url: str) -> AsyncIterator[Broker]:
    """A caller that waits for a place."""
    broker = broker_on(redis_url, patience=20.0)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.mark.parametrize("transport", [Transport.LIST, Transport.STREAM])
async def test_more_calls_than_a_queue_holds_are_all_answered(
    transport: Transport, redis_url: str, patient: Broker, echo: Echo
) -> None:
    async with serving(redis_url, echo, capacity=2):
        ping = Ping(then="sleep", seconds=0.02)
        calls = [asyncio.create_task(call(patient, ping, transport, 40)) for _ in range(60)]
        await asyncio.gather(*calls)


async def test_without_room_a_call_is_refused_when_its_patience_ends(
    redis_url: str, echo: Echo
) -> None:
    caller, worker = broker_on(redis_url, patience=0.4), broker_on(redis_url, capacity=1)
    worker.serve(ECHO, echo.__call__)
    await worker.start()
    await caller.start()
    try:
        ping = Ping(then="sleep", seconds=20)
        calls = [asyncio.create_task(call(caller, ping, Transport.STREAM, 30)) for _ in range(10)]
        started = time.monotonic()
        done, waiting = await asyncio.wait(calls, timeout=15, return_when=asyncio.FIRST_EXCEPTION)
        assert time.monotonic() - started >= 0.4
        assert all(isinstance(task.exception(), Overloaded) for task in done)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    finally:
        await caller.stop()
        await worker.stop()


class Queue:
    """A queue that is full until it has room."""

    def __init__(self) -> None:
        self.room = 0
        self.sent: list[str] = []

    def sending(self, name: str) -> Send:
        def send(on_sent: object) -> None:
            assert callable(on_sent)
            full = self.room == 0
            if not full:
                self.room -= 1
                self.sent.append(name)
            asyncio.get_running_loop().call_soon(on_sent, -1 if full else 1)

        return send


async def test_requests_are_sent_in_the_order_of_their_arrival() -> None:
    queue, line = Queue(), WaitingLine(10.0)
    ended: list[int] = []
    replies = [asyncio.get_running_loop().create_future() for _ in range(4)]
    for name, reply in zip("abcd", replies, strict=True):
        line.send(queue.sending(name), ended.append, reply, 20.0)
    await asyncio.sleep(0.01)
    replies[1].cancel()  # its caller has left
    queue.room = 2
    line.advance()
    await until(lambda: len(queue.sent) == 2)
    assert queue.sent == ["a", "c"]
    line.send(queue.sending("e"), ended.append, replies[3], 20.0)
    queue.room = 5
    # Nobody says that there is room.
    await until(lambda: len(ended) == 4 and len(line) == 0)

    assert queue.sent == ["a", "c", "d", "e"]
    assert ended == [1, 1, 1, 1]


async def test_a_full_queue_holds_up_no_request_for_another(
    redis_url: str, patient: Broker, echo: Echo
) -> None:
    worker = broker_on(redis_url, capacity=1, graceful_timeout=0.1)
    worker.serve(ECHO, echo.__call__)
    worker.capacity.take()
    await worker.start()
    calls = [asyncio.create_task(call(patient, Ping(), Transport.STREAM, 30)) for _ in range(9)]
    try:
        await asyncio.sleep(0.1)  # time is the subject: the last ones wait for a place
        calls.append(asyncio.create_task(call(patient, Ping(), Transport.LIST, 30)))

        async def is_queued() -> bool:
            return bool(await patient.redis.execute("LLEN", ECHO.address(Transport.LIST)))

        await until_answer(is_queued)
        assert await patient.redis.execute("XLEN", ECHO.address(Transport.STREAM)) == 4
    finally:
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await worker.stop()


async def test_a_stop_ends_the_calls_that_wait(redis_url: str, echo: Echo) -> None:
    caller = broker_on(redis_url, patience=20.0)
    worker = broker_on(redis_url, capacity=1, graceful_timeout=0.1)
    worker.serve(ECHO, echo.__call__)
    await worker.start()
    await caller.start()
    ping = Ping(then="sleep", seconds=20)
    calls = [asyncio.create_task(call(caller, ping, Transport.STREAM, 40)) for _ in range(9)]
    try:
        await until(echo.started.is_set)
        await caller.stop()
        await until(lambda: all(task.done() for task in calls))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    finally:
        await worker.stop()
    assert {type(outcome) for outcome in outcomes} == {Unavailable}


async def test_requests_that_cannot_be_sent_end_one_after_another() -> None:
    line, ended, number = WaitingLine(10.0), list[object](), 1000
    answer: object = -1

    def send(on_sent: object) -> None:
        assert callable(on_sent)
        on_sent(answer)  # at once, as a client with too many open commands does

    reply = asyncio.get_running_loop().create_future()
    for _ in range(number):
        line.send(send, ended.append, reply, 20.0)
    answer = OSError("lost")
    line.advance()
    await until(lambda: (len(line), line._timer) == (0, None))
    assert ended == [answer] * number


async def test_a_request_with_less_time_than_the_first_waits_no_longer() -> None:
    queue, line = Queue(), WaitingLine(10.0)
    long, short = list[int](), list[int]()
    reply = asyncio.get_running_loop().create_future()
    line.send(queue.sending("long"), long.append, reply, 20.0)
    line.send(queue.sending("short"), short.append, reply, 0.1)
    await until(lambda: bool(short))
    assert (long, short) == ([], [-1])
    reply.cancel()
    await until(lambda: (len(line), line._timer) == (0, None))


async def test_without_patience_a_full_queue_refuses_at_once() -> None:
    line, ended = WaitingLine(0.0), list[int]()
    reply = asyncio.get_running_loop().create_future()
    line.send(Queue().sending("a"), ended.append, reply, 20.0)
    await asyncio.sleep(0.01)

    assert ended == [-1]
