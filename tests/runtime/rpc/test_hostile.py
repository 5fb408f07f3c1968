"""Forged, unreadable and repeated messages, and outages, do no harm to other calls."""

import asyncio
import time
from contextlib import closing
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from contracts.errors import DeadlineExceeded, InvalidRequest
from contracts.methods import GROUP, Transport
from services.runtime.rpc.broker import Broker
from tests.attempts import attempts
from tests.processes import until
from tests.runtime.echo import ECHO, Echo, Ping, broker_on, call, emptied

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
async def test_forged_messages_disturb_no_other_call(
    transport: Transport, caller: Broker, worker: Broker, plain: Redis
) -> None:
    for round in range(5):
        calls = [asyncio.create_task(call(caller, Ping(text=str(n)), transport)) for n in range(40)]
        for data in FORGED:
            await forge(plain, transport, data)
        answers = await asyncio.gather(*calls)
        assert [answer.text for answer in answers] == [str(n) for n in range(40)], round
    await emptied(caller, transport)


async def test_an_unreadable_entry_does_not_stay_in_a_stream(
    caller: Broker, worker: Broker, plain: Redis
) -> None:
    with capture_logs() as logs:
        for _ in range(5):
            await forge(plain, Transport.STREAM, b'{"nothing": "like it"}')
        await emptied(caller, Transport.STREAM)
    assert len([line for line in logs if line["event"] == "message refused"]) == 5


async def test_a_reply_on_an_undecodable_channel_does_not_stop_the_inbox(
    caller: Broker, worker: Broker, plain: Redis
) -> None:
    await plain.publish(caller.inbox._prefix.encode() + b"\xff", b"x")
    assert (await call(caller, Ping(text="still"), Transport.STREAM)).text == "still"
    assert caller.inbox.listening


@EVERY_TRANSPORT
async def test_work_is_stopped_at_the_callers_deadline(
    transport: Transport, caller: Broker, worker: Broker, echo: Echo
) -> None:
    for attempt in attempts():
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await call(caller, Ping(then="sleep", seconds=20), transport, timeout=0.3)
        with attempt:  # a request that comes too late is not handled
            await asyncio.wait_for(echo.stopped.wait(), 2)
            assert time.monotonic() - started < 2


@pytest.mark.parametrize("header", ["x" * 70_000, 7])
async def test_a_header_that_is_too_long_or_no_text_is_refused(
    header: Any, caller: Broker, worker: Broker
) -> None:
    with pytest.raises(InvalidRequest, match="header"):
        await caller.request(
            Ping(), stream=ECHO.address(Transport.STREAM), headers={"x-mine": header}
        )


async def test_a_request_that_is_sent_twice_is_answered(
    caller: Broker, worker: Broker, echo: Echo, plain: Redis
) -> None:
    redis: Any = plain  # redis-py has no types for it
    waiting = asyncio.create_task(call(caller, Ping(then="sleep", seconds=0.5), Transport.STREAM))
    await asyncio.wait_for(echo.started.wait(), 5)
    ((_, fields),) = await redis.xrange(ECHO.address(Transport.STREAM))
    await redis.xadd(ECHO.address(Transport.STREAM), fields)
    assert (await waiting).then == "sleep"


@pytest.mark.slow
async def test_entries_of_a_living_worker_are_not_reclaimed_after_a_pause_of_redis(
    redis_url: str, caller: Broker, plain: Redis
) -> None:
    """After an outage, a missing heartbeat does not prove a death."""
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
        await until(lambda: sum(len(echo.received) for echo in echoes) == len(calls))
        redis: Any = plain  # redis-py has no types for it
        await redis.execute_command("CLIENT", "PAUSE", 1800, "ALL")
        answers = await asyncio.gather(*calls)
        assert [answer.text for answer in answers] == list("0123")
        received = [text for echo in echoes for text in echo.received]
        assert sorted(received) == list("0123"), "each request is handled once"
        pending: Any = await redis.xpending(ECHO.address(Transport.STREAM), GROUP)
        assert pending["pending"] == 0
    finally:
        for worker in workers:
            await worker.stop()


@pytest.mark.slow
async def test_a_silent_connection_of_the_inbox_is_replaced(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that is cut closes no connection: the bytes stop, and no error is raised."""
    monkeypatch.setattr("services.runtime.redis.subscription.PING_INTERVAL", 0.1)
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    flowing, pumps = asyncio.Event(), set[asyncio.Task[None]]()
    flowing.set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Any) -> None:
        with closing(writer):
            while data := await reader.read(65536):
                if cut and not cut.is_set():
                    await asyncio.Event().wait()
                writer.write(data)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, answers = await asyncio.open_connection("127.0.0.1", port)
        cut = flowing if flowing.is_set() else None
        for direction in (pump(reader, answers, cut), pump(onward, writer, cut)):
            pumps.add(asyncio.create_task(direction))

    proxy = await asyncio.start_server(forward, "127.0.0.1", 0)
    proxy_port = proxy.sockets[0].getsockname()[1]
    broker = broker_on(f"redis://127.0.0.1:{proxy_port}")
    await broker.start()
    assert broker.inbox.listening
    flowing.clear()
    await until(lambda: not broker.inbox.listening)
    await until(lambda: broker.inbox.listening)
    await broker.stop()
    proxy.close()
    for task in pumps:
        task.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)


async def test_an_address_without_a_transport_can_be_called(caller: Broker, worker: Broker) -> None:
    body = b'{"text": "x"}'
    destinations: tuple[Any, ...] = {"channel": "foo:bar"}, {"list": "foo"}
    for destination in destinations:
        with pytest.raises(Exception, match="No worker"):
            await caller.request(body, **destination)
