"""Handing on: another worker replies, within the caller's deadline, whatever the transport."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator
from functools import partial

import pytest
from faststream.redis import RedisMessage, RedisResponse

from contracts.errors import Unavailable
from contracts.methods import Transport
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.deadlines import remaining
from services.runtime.rpc.handing_on import hand_on, is_handed_on
from tests.runtime.echo import ECHO, Ping, broker_on, call


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


@pytest.fixture
async def pair(redis_url: str, caller: Broker) -> AsyncIterator[Pair]:
    pair = Pair(redis_url)
    for broker in pair.workers:
        await broker.start()
    yield pair
    for broker in pair.workers:
        await broker.stop()


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("transport", Transport)
async def test_the_other_worker_answers_within_the_deadline(
    caller: Broker, pair: Pair, transport: Transport
) -> None:
    for number in range(10):
        assert (await call(caller, Ping(text=f"é{number}"), transport)).text == f"é{number}"
    assert len(pair.deadlines) == 10
    # Each worker estimates the time of Redis, to within a few milliseconds.
    assert all(abs(first - other) < 0.5 for first, other in pair.deadlines.values())
    handed_on = [broker.metrics.dropped.labels("handed_on") for broker in pair.workers]
    assert sum(counter._value.get() for counter in handed_on) == 10


async def test_without_another_worker_the_handler_goes_on(caller: Broker, pair: Pair) -> None:
    with pytest.raises(Unavailable, match="Nobody listens"):
        await call(caller, Ping(text="nobody"), Transport.STREAM)
