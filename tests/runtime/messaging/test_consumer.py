"""The loop that all consumers share, with reads made by hand and without Redis."""

import asyncio
from typing import ClassVar

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from contracts.errors import InvalidRequest
from contracts.methods import Transport
from services.runtime.capacity import Capacity
from services.runtime.messaging import consumer as consumer_module
from services.runtime.messaging.consumer import Consumer, Received


class ScriptedConsumer(Consumer):
    """Consumer whose reads are given: an exception is raised, a text is accepted."""

    transport: ClassVar = Transport.LIST

    def __init__(self, *reads: Exception | str, graceful_timeout: float = 20.0) -> None:
        super().__init__("test.address", Capacity(8), graceful_timeout=graceful_timeout)
        self._reads = list(reads)
        self.exhausted = asyncio.Event()

    async def _read(self) -> None:
        if not self._reads:
            self.exhausted.set()
            await asyncio.sleep(0.01)
            return
        read = self._reads.pop(0)
        if isinstance(read, Exception):
            raise read
        self._accept(Received(self.address, read.encode()))


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "RECONNECT_DELAY", 0.0)


async def consume(consumer: ScriptedConsumer) -> tuple[list[bytes], list[str]]:
    """Run `consumer` until its reads are used up; return what it delivered and the log events."""
    delivered: list[bytes] = []

    async def deliver(received: Received) -> None:
        assert isinstance(received.data, bytes)
        delivered.append(received.data)

    with capture_logs() as logs:
        await consumer.start(deliver)
        await asyncio.wait_for(consumer.exhausted.wait(), 20)
        await consumer.stop()
    return delivered, [str(line["event"]) for line in logs]


async def test_a_consumer_reconnects_and_logs_an_outage_once() -> None:
    lost = RedisConnectionError("gone")
    delivered, events = await consume(ScriptedConsumer("one", lost, lost, lost, "two"))
    assert delivered == [b"one", b"two"]
    assert events == ["consumer lost redis", "consumer reconnected"]


async def test_a_consumer_goes_on_after_an_exception_that_nobody_expected() -> None:
    delivered, events = await consume(ScriptedConsumer(ZeroDivisionError(), "one"))
    assert delivered == [b"one"]
    assert events == ["consumer failed"]


@pytest.mark.parametrize(
    ("exc", "event"),
    [(InvalidRequest("unreadable"), "message refused"), (ZeroDivisionError(), "message failed")],
)
async def test_a_message_that_fails_is_logged_and_gives_its_capacity_back(
    exc: Exception, event: str
) -> None:
    consumer = ScriptedConsumer("one")

    async def deliver(received: Received) -> None:
        raise exc

    with capture_logs() as logs:
        await consumer.start(deliver)
        await asyncio.wait_for(consumer.exhausted.wait(), 20)
        await consumer.stop()
    assert [line["event"] for line in logs] == [event]
    assert consumer._capacity.free == 8


async def test_a_stop_finishes_accepted_messages_and_cancels_late_ones() -> None:
    consumer = ScriptedConsumer("quick", "slow", graceful_timeout=0.2)
    outcomes: dict[bytes, str] = {}

    async def deliver(received: Received) -> None:
        assert isinstance(received.data, bytes)
        try:
            await asyncio.sleep(0.05 if received.data == b"quick" else 30)
        except asyncio.CancelledError:
            outcomes[received.data] = "cancelled"
            raise
        outcomes[received.data] = "finished"

    await consumer.start(deliver)
    await asyncio.wait_for(consumer.exhausted.wait(), 20)
    assert consumer.running
    await consumer.stop()
    assert outcomes == {b"quick": "finished", b"slow": "cancelled"}
    assert not consumer.running
    assert consumer._capacity.free == 8
