"""What nobody well-meaning sends or does, and what it costs the others: nothing."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from contracts.errors import DeadlineExceeded, InvalidRequest
from contracts.methods import GROUP, Transport
from services.runtime.liveness.heartbeat import Report
from services.runtime.liveness.server_clock import Clock
from services.runtime.redis.client import make_redis
from services.runtime.rpc.broker import Broker
from tests.runtime.echo import ECHO, Echo, Ping, broker_on, call, emptied, settings_for

EVERY_TRANSPORT = pytest.mark.parametrize("transport", list(Transport))

FORGED = [
    b'{"data": "{}", "headers": {"reply_to": "\\ud800", "correlation_id": "x"}}',
    b'{"data": "{}", "headers": {"reply_to": {"a": 1}}}',
    b'{"data": "{}", "headers": null}',
    b'{"data": "{}", "headers": [1]}',
    b'{"data": "{}", "headers": {"reply_to": "nowhere", "x-deadline": "999999999999999"}}',
    b"\x89BIN\r\n\x1a\n\x00\x01\x00\x00\x00\x12\x00\x00\x00\x14\xff\xff",
    b"\xff" * 40,
    b"",
]


async def forge(redis: Any, transport: Transport, data: bytes) -> None:
    address = ECHO.address(transport)
    match transport:
        case Transport.CHANNEL:
            await redis.publish(address, data)
        case Transport.LIST:
            await redis.rpush(address, data)
        case Transport.STREAM:
            await redis.xadd(address, {"__data__": data})


@EVERY_TRANSPORT
async def test_forged_messages_cost_nobody_else_a_call(
    transport: Transport, caller: Broker, worker: Broker, plain: Redis
) -> None:
    for round in range(5):
        calls = [asyncio.create_task(call(caller, Ping(text=str(n)), transport)) for n in range(40)]
        for data in FORGED:
            await forge(plain, transport, data)
        answers = await asyncio.gather(*calls)
        assert [answer.text for answer in answers] == [str(n) for n in range(40)], round
    await emptied(caller, transport)


async def test_what_can_not_be_read_does_not_stay_in_a_stream(
    caller: Broker, worker: Broker, plain: Redis
) -> None:
    with capture_logs() as logs:
        for _ in range(5):
            await forge(plain, Transport.STREAM, b'{"nothing": "like it"}')
        await emptied(caller, Transport.STREAM)
    assert len([line for line in logs if line["event"] == "message refused"]) == 5


async def test_a_reply_that_is_no_text_does_not_deafen_the_inbox(
    caller: Broker, worker: Broker, plain: Redis
) -> None:
    await plain.publish(caller.inbox._prefix.encode() + b"\xff", b"x")
    assert (await call(caller, Ping(text="still"), Transport.STREAM)).text == "still"
    assert caller.inbox.listening


@EVERY_TRANSPORT
async def test_work_for_a_caller_whose_time_is_up_is_stopped(
    transport: Transport, caller: Broker, worker: Broker, echo: Echo
) -> None:
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await call(caller, Ping(then="sleep", seconds=20), transport, timeout=0.3)
    await asyncio.wait_for(echo.stopped.wait(), 2)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("header", ["x" * 70_000, 7])
async def test_headers_that_can_not_travel_are_refused_by_name(
    header: Any, caller: Broker, worker: Broker
) -> None:
    with pytest.raises(InvalidRequest, match="header"):
        await caller.request(
            Ping(), stream=ECHO.address(Transport.STREAM), headers={"x-mine": header}
        )


async def test_a_request_that_is_sent_twice_is_answered(
    caller: Broker, worker: Broker, echo: Echo, plain: Redis
) -> None:
    redis: Any = plain
    waiting = asyncio.create_task(call(caller, Ping(then="sleep", seconds=0.5), Transport.STREAM))
    await asyncio.wait_for(echo.started.wait(), 5)
    ((_, fields),) = await redis.xrange(ECHO.address(Transport.STREAM))
    await redis.xadd(ECHO.address(Transport.STREAM), fields)
    assert (await waiting).then == "sleep"


async def test_what_a_living_worker_has_in_hand_stays_its_own_after_a_pause(
    redis_url: str, caller: Broker, plain: Redis
) -> None:
    """While Redis answers nobody, nobody's heartbeat is there, and that says nothing of anybody."""
    echoes, workers = [Echo(), Echo()], []
    for echo in echoes:
        worker = broker_on(redis_url, capacity=4, heartbeat_interval=0.2, heartbeat_ttl=1.0)
        worker.serve(ECHO, echo.__call__)
        await worker.start()
        workers.append(worker)
    try:
        calls = [
            asyncio.create_task(
                call(caller, Ping(text=str(n), then="sleep", seconds=4), Transport.STREAM, 20)
            )
            for n in range(4)
        ]
        await asyncio.sleep(0.3)
        redis: Redis = plain
        await redis.execute_command("CLIENT", "PAUSE", 1800, "ALL")  # type: ignore[no-untyped-call]
        answers = await asyncio.gather(*calls)
        assert [answer.text for answer in answers] == list("0123")
        assert sorted(text for echo in echoes for text in echo.heard) == list("0123"), "once each"
        pending: Any = await redis.xpending(ECHO.address(Transport.STREAM), GROUP)
        assert pending["pending"] == 0
    finally:
        for worker in workers:
            await worker.stop()


async def test_a_connection_that_falls_silent_is_given_up(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A way that was cut gives no end: bytes just stop to come."""
    monkeypatch.setattr("services.runtime.redis.subscription.PING_INTERVAL", 0.1)
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    flowing, ways = asyncio.Event(), set[asyncio.Task[None]]()
    flowing.set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Any) -> None:
        with closing(writer):
            while data := await reader.read(65536):
                if cut and not cut.is_set():
                    await asyncio.Event().wait()
                writer.write(data)

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, answers = await asyncio.open_connection("127.0.0.1", port)
        cut = flowing if flowing.is_set() else None
        for way in (pump(reader, answers, cut), pump(onward, writer, cut)):
            ways.add(asyncio.create_task(way))

    proxy = await asyncio.start_server(through, "127.0.0.1", 0)
    place = proxy.sockets[0].getsockname()[1]
    broker = broker_on(f"redis://127.0.0.1:{place}")
    await broker.start()
    assert broker.inbox.listening
    flowing.clear()
    async with asyncio.timeout(5):
        while broker.inbox.listening:  # noqa: ASYNC110  there is nothing to wait for but this
            await asyncio.sleep(0.05)
        while not broker.inbox.listening:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await broker.stop()
    proxy.close()
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)


async def test_a_report_that_fails_does_not_end_the_heartbeat(redis_url: str) -> None:
    reports: Iterator[Report] = iter([{"slots": 1}])
    settings = settings_for(redis_url, heartbeat_interval=0.05)
    broker = Broker(make_redis(settings), settings, report=lambda: next(reports))
    broker.serve(ECHO, Echo().__call__)
    await broker.start()
    with capture_logs() as logs:
        await asyncio.sleep(0.3)
    assert broker.heartbeat.beating
    assert any(line["event"] == "heartbeat failed" for line in logs)
    await broker.stop()


async def test_any_address_can_be_called(caller: Broker, worker: Broker) -> None:
    body = b'{"text": "x"}'
    for destination in ({"channel": "foo:bar"}, {"list": "foo"}):
        with pytest.raises(Exception, match="No worker"):
            await caller.request(body, **destination)  # type: ignore[arg-type]


def test_a_measurement_that_was_held_up_does_not_move_the_clock() -> None:
    clock = Clock(host=lambda: 100.0)
    clock.set(asked=99.999, answered=100.001, server=105.0)
    clock.set(asked=96.0, answered=100.0, server=105.0)
    assert clock.now() == pytest.approx(105.0)
    for _ in range(20):
        clock.set(asked=96.0, answered=100.0, server=108.0)
    assert clock.now() == pytest.approx(110.0), "but what is always slow is all there is"
