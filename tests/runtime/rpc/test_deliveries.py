"""Every request over a stream ends: one that raises for ever, and one that ends its workers."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from contracts.errors import WorkerCrashed
from contracts.methods import GROUP, Transport
from services.runtime.messaging import reclaimer
from services.runtime.redis import keys
from services.runtime.rpc.broker import Broker
from tests.attempts import attempts
from tests.processes import alive_until, until
from tests.runtime.echo import ECHO, Echo, Ping, broker_on, call, emptied

STREAM = ECHO.address(Transport.STREAM)


@pytest.fixture
async def quick(redis_url: str, caller: Broker, monkeypatch: pytest.MonkeyPatch) -> Broker:
    """A worker that counts to three, and delivers a failed request again after 50 ms."""
    monkeypatch.setattr(reclaimer, "RECLAIM_INTERVAL", 0.02)
    return broker_on(redis_url, heartbeat_interval=0.02, heartbeat_ttl=0.05, max_deliveries=3)


async def test_a_request_without_a_reply_that_always_raises_is_dropped(
    caller: Broker, quick: Broker, echo: Echo
) -> None:
    quick.serve(ECHO, echo.__call__)
    await quick.start()
    await caller.publish(Ping(text="again", then="break"), stream=STREAM)
    await until(lambda: len(echo.received) == 3)
    await emptied(caller, Transport.STREAM)
    # Time is the subject: the next delivery would follow after 200 ms.
    await asyncio.sleep(0.3)
    await quick.stop()
    assert echo.received == ["again"] * 3


async def test_a_request_that_has_ended_its_workers_is_refused_and_not_handled(
    caller: Broker, quick: Broker, echo: Echo, plain: Redis
) -> None:
    waiting, entry = await _call_to_the_dead(caller, plain, "deadly")
    claim: Any = plain.execute_command
    await claim("XCLAIM", STREAM, GROUP, "dead", 0, entry, "RETRYCOUNT", 3)
    quick.serve(ECHO, echo.__call__)
    await quick.start()
    with pytest.raises(WorkerCrashed, match="3 workers took it and ended"):
        await waiting
    await emptied(caller, Transport.STREAM)
    await quick.stop()
    assert echo.received == []


async def test_a_worker_reclaims_what_a_dead_one_has_left_as_soon_as_it_starts(
    caller: Broker, redis_url: str, echo: Echo, plain: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that crash again and again may all end before a second round."""
    monkeypatch.setattr(reclaimer, "RECLAIM_INTERVAL", 60)
    waiting, _ = await _call_to_the_dead(caller, plain, "left")
    # Time is the subject: a worker that has not read for the life of a heartbeat is dead.
    await asyncio.sleep(0.6)
    for attempt in attempts():  # a worker that has had no core is not sure of deaths
        worker = broker_on(redis_url, heartbeat_interval=0.1, heartbeat_ttl=0.5)
        worker.serve(ECHO, echo.__call__)
        await worker.start()
        with attempt:
            assert (await asyncio.wait_for(asyncio.shield(waiting), 5)).text == "left"
        await worker.stop()


async def _call_to_the_dead(
    caller: Broker, plain: Redis, text: str
) -> tuple[asyncio.Task[Ping], bytes]:
    """Call a worker that dies once it has read the request; return the call and its entry."""
    await plain.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    await plain.zadd(keys.responders(STREAM), {"dead": alive_until()})
    await plain.hset(keys.capacities(STREAM), "dead", "8")
    waiting = asyncio.create_task(call(caller, Ping(text=text), Transport.STREAM, timeout=30))
    redis: Any = plain
    [[_, [(entry, _)]]] = await redis.xreadgroup(GROUP, "dead", {STREAM: ">"}, block=5000)
    await plain.zrem(keys.responders(STREAM), "dead")
    return waiting, entry
