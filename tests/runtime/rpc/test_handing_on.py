"""Handing on and back: another worker replies, within the caller's deadline."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from faststream.redis import RedisMessage, RedisResponse

from contracts.errors import Unavailable
from contracts.methods import Transport
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.deadlines import remaining
from services.runtime.rpc.discarded import HandedBack
from services.runtime.rpc.handing_on import hand_back, hand_on, is_handed_on
from tests.runtime.echo import ECHO, Ping, broker_on, call, emptied


class Pair:
    """Two workers; each hands every request on to the other, which answers."""

    def __init__(self, redis_url: str) -> None:
        self.workers = broker_on(redis_url), broker_on(redis_url)
        self.deadlines: dict[str, list[float]] = defaultdict(list)
        """By the text of a call: as its first worker knew its deadline, and the other one."""
        for broker in self.workers:
            broker.serve(ECHO, partial(self.handle, broker=broker))

    async def handle(
        self, request: Ping, message: RedisMessage, *, broker: Broker
    ) -> RedisResponse:
        self.deadlines[request.text].append(time.monotonic() + (remaining() or 0))
        if is_handed_on(message):
            return RedisResponse(request, correlation_id=message.correlation_id)
        others = [other.worker for other in self.workers if other is not broker]
        names = ["gone"] if request.text == "nobody" else ["gone", *others]
        await hand_on(message, names, sender=broker.worker, redis=broker.redis)
        raise Unavailable("Nobody listens.")


@asynccontextmanager
async def running(workers: Sequence[Broker]) -> AsyncIterator[None]:
    for broker in workers:
        await broker.start()
    yield
    for broker in workers:
        await broker.stop()


@pytest.fixture
async def pair(redis_url: str, caller: Broker) -> AsyncIterator[Pair]:
    pair = Pair(redis_url)
    async with running(pair.workers):
        yield pair


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("transport", Transport)
async def test_the_other_worker_answers_within_the_deadline(
    caller: Broker, pair: Pair, transport: Transport
) -> None:
    for number in range(10):
        assert (await call(caller, Ping(text=f"é{number}"), transport)).text == f"é{number}"
    assert len(pair.deadlines) == 10
    # Estimates of the time of Redis differ; the timeout is 20 s.
    assert all(abs(first - other) < 5 for first, other in pair.deadlines.values())
    handed_on = [broker.metrics.dropped.labels("handed_on") for broker in pair.workers]
    assert sum(counter._value.get() for counter in handed_on) == 10


async def test_without_another_worker_the_handler_goes_on(caller: Broker, pair: Pair) -> None:
    with pytest.raises(Unavailable, match="Nobody listens"):
        await call(caller, Ping(text="nobody"), Transport.STREAM)


class Hesitant:
    """Workers that hand each request back, as often as they can, before one answers."""

    def __init__(self, redis_url: str, number: int) -> None:
        self.workers = [broker_on(redis_url) for _ in range(number)]
        for broker in self.workers:
            broker.serve(ECHO, partial(self.handle, broker=broker))
        self.deadlines: dict[str, list[float]] = defaultdict(list)
        """By the text of a call."""

    async def handle(
        self, request: Ping, message: RedisMessage, *, broker: Broker
    ) -> RedisResponse:
        self.deadlines[request.text].append(time.monotonic() + (remaining() or 0))
        if await hand_back(message, worker=broker.worker, redis=broker.redis):
            raise HandedBack
        return RedisResponse(request, correlation_id=message.correlation_id)

    @property
    def handed_back(self) -> float:
        counters = [broker.metrics.dropped.labels("handed_back") for broker in self.workers]
        return float(sum(counter._value.get() for counter in counters))


@asynccontextmanager
async def hesitant(redis_url: str, number: int) -> AsyncIterator[Hesitant]:
    workers = Hesitant(redis_url, number)
    async with running(workers.workers):
        yield workers


@pytest.mark.usefixtures("both_ways")
async def test_a_request_is_handed_back_three_times_and_answered_within_its_deadline(
    redis_url: str, caller: Broker
) -> None:
    async with hesitant(redis_url, 2) as workers:
        for number in range(10):
            text = f"é{number}"
            assert (await call(caller, Ping(text=text), Transport.STREAM)).text == text
        for deadlines in workers.deadlines.values():
            assert len(deadlines) == 4
            # Estimates of the time of Redis differ; the timeout is 20 s.
            assert max(deadlines) - min(deadlines) < 5
        assert workers.handed_back == 30
        await emptied(caller, Transport.STREAM)


async def test_the_only_worker_keeps_its_requests(redis_url: str, caller: Broker) -> None:
    async with hesitant(redis_url, 1) as workers:
        assert (await call(caller, Ping(text="stays"), Transport.STREAM)).text == "stays"
        assert workers.handed_back == 0


@pytest.mark.parametrize("transport", [Transport.CHANNEL, Transport.LIST])
async def test_a_request_that_came_another_way_stays(
    redis_url: str, caller: Broker, transport: Transport
) -> None:
    async with hesitant(redis_url, 2) as workers:
        assert (await call(caller, Ping(text="stays"), transport)).text == "stays"
        assert workers.handed_back == 0
