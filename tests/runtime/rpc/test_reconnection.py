"""Redis dies and comes back: calls in flight fail at once, and calls are served again soon."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from contracts.errors import NoWorkers, Unavailable
from contracts.methods import GROUP, Transport
from services.runtime.redis import keys
from services.runtime.rpc.broker import Broker
from services.runtime.tasks import end
from tests.attempts import attempts
from tests.processes import MortalValkey, alive_until, mortal_valkey, until, until_answer
from tests.runtime.echo import ECHO, Echo, Ping, broker_on, call, emptied

pytestmark = pytest.mark.serial


@pytest.fixture
async def plain(mortal: MortalValkey) -> AsyncIterator[Redis]:
    """redis-py's own client on the server that dies."""
    async with Redis.from_url(mortal.url) as redis:
        yield redis


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[MortalValkey]:
    with mortal_valkey(tmp_path) as server:
        yield server


@pytest.fixture
async def caller(mortal: MortalValkey) -> AsyncIterator[Broker]:
    broker = broker_on(mortal.url)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def worker(mortal: MortalValkey, echo: Echo) -> AsyncIterator[Broker]:
    broker = broker_on(mortal.url)
    broker.serve(ECHO, echo.__call__)
    await broker.start()
    yield broker
    await broker.stop()


async def seconds_until_served(caller: Broker, transport: Transport) -> float:
    started = time.monotonic()
    async with asyncio.timeout(20):
        while True:
            try:
                await call(caller, Ping(), transport, timeout=0.5)
            except (Unavailable, NoWorkers, TimeoutError):
                await asyncio.sleep(0.02)
            else:
                return time.monotonic() - started


async def test_every_transport_is_served_within_two_seconds_of_redis_return(
    mortal: MortalValkey, caller: Broker, worker: Broker
) -> None:
    for attempt in attempts():
        for transport in Transport:
            await call(caller, Ping(), transport)
        mortal.kill()
        # Time is the subject: every part has to try to reconnect, more than once, and in vain.
        await asyncio.sleep(3)
        await asyncio.to_thread(mortal.start)
        waits = await asyncio.gather(*(seconds_until_served(caller, each) for each in Transport))
        with attempt:
            assert max(waits) < 2


async def test_calls_in_flight_fail_at_once_when_redis_dies(
    mortal: MortalValkey, caller: Broker, worker: Broker, echo: Echo
) -> None:
    for attempt in attempts():
        for transport in Transport:
            await seconds_until_served(caller, transport)
        echo.received.clear()
        waiting = [
            asyncio.create_task(call(caller, Ping(then="sleep", seconds=9), transport, timeout=20))
            for transport in Transport
        ]
        await until(lambda: len(echo.received) == len(Transport))
        mortal.kill()
        died = time.monotonic()
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(failure) for failure in failures] == [Unavailable] * len(waiting)
        for transport in Transport:
            with pytest.raises(Unavailable):
                await call(caller, Ping(), transport)
        took = time.monotonic() - died
        await asyncio.to_thread(mortal.start)
        with attempt:
            assert took < 0.5


async def test_a_request_answered_as_the_connection_was_lost_is_not_handled_again(
    mortal: MortalValkey, caller: Broker, worker: Broker, plain: Redis, echo: Echo
) -> None:
    number = await worker.redis.execute("CLIENT", "ID")
    waiting = asyncio.create_task(
        call(caller, Ping(then="sleep", seconds=0.2), Transport.STREAM, timeout=5)
    )
    await asyncio.wait_for(echo.started.wait(), 5)
    # Redis holds back the reply and the acknowledgement until the connection is gone.
    await plain.client_pause(5000, all=False)
    # Time is the subject: the worker sends its reply 0.2 s after the start.
    await asyncio.sleep(0.3)
    await plain.client_kill_filter(_id=number)
    await plain.client_unpause()
    await waiting
    await emptied(caller, Transport.STREAM)


async def test_a_broker_started_before_redis_waits_for_it(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path, running=False) as server:
        # A heartbeat counts for longer than a busy machine may delay this test.
        broker = broker_on(server.url, heartbeat_ttl=30)
        starting = asyncio.create_task(broker.start())
        await asyncio.sleep(0.5)  # time is the subject: many tries to connect, all in vain
        assert not starting.done()
        await asyncio.to_thread(server.start)
        await until(starting.done)
        await starting
        # Every other worker's heartbeat may have ended meanwhile.
        assert not broker.heartbeat.steady
        await broker.stop()


async def test_a_consumer_group_that_vanishes_is_created_again(
    mortal: MortalValkey, caller: Broker, worker: Broker, plain: Redis
) -> None:
    await call(caller, Ping(), Transport.STREAM)
    await plain.delete(ECHO.address(Transport.STREAM))
    assert (await call(caller, Ping(text="again"), Transport.STREAM, timeout=5)).text == "again"
    assert len(await plain.xinfo_groups(ECHO.address(Transport.STREAM))) == 1


async def test_a_request_whose_worker_died_is_reclaimed_before_its_deadline(
    mortal: MortalValkey, caller: Broker, plain: Redis
) -> None:
    dead = "a-worker-that-died"
    stream = ECHO.address(Transport.STREAM)
    await plain.xgroup_create(stream, GROUP, id="0", mkstream=True)
    successor = broker_on(mortal.url, heartbeat_interval=0.2, heartbeat_ttl=1)
    echo = Echo()
    # Simulate the dead worker: its heartbeat is there, and it has read the request.
    await plain.zadd(keys.responders(stream), {dead: alive_until()})
    await plain.hset(keys.capacities(stream), dead, 8)
    waiting = asyncio.create_task(call(caller, Ping(text="orphaned"), Transport.STREAM, timeout=10))
    assert await plain.xreadgroup(GROUP, dead, {stream: ">"}, block=5000)
    successor.serve(ECHO, echo.__call__)

    async def beat() -> None:
        while True:
            # One that counts longer than twice as long as the successor's would be shortened.
            await plain.zadd(keys.responders(stream), {dead: alive_until(seconds=1.9)})
            await asyncio.sleep(0.1)

    beating = asyncio.create_task(beat())
    await successor.start()
    try:
        await asyncio.sleep(1.5)  # time is the subject: longer than a heartbeat counts
        assert echo.received == [], "entries of a living worker are not reclaimed"
        await end(beating)
        await plain.zrem(keys.responders(stream), dead)
        assert (await waiting).text == "orphaned"
        assert echo.received == ["orphaned"]
        # The dead worker is removed from the group, which has one member again.

        async def is_removed() -> bool:
            return len(await plain.xinfo_consumers(stream, GROUP)) == 1

        await until_answer(is_removed, every=0.05)
    finally:
        await end(beating)
        await successor.stop()


async def test_a_redis_that_hangs_does_not_hang_its_callers(
    mortal: MortalValkey, caller: Broker, worker: Broker
) -> None:
    for attempt in attempts():
        mortal.pause()
        try:
            started = time.monotonic()
            with pytest.raises((TimeoutError, Unavailable)):
                await call(caller, Ping(), Transport.STREAM, timeout=1)
            took = time.monotonic() - started
        finally:
            mortal.resume()
        with attempt:
            assert took < 1.5
            assert await seconds_until_served(caller, Transport.STREAM) < 2
