"""Requests that can't be served soon are refused at once, with a time to try again after."""

import asyncio
import os
import sys
import time
from contextlib import nullcontext
from statistics import quantiles

import pytest

from contracts.errors import Overloaded
from contracts.methods import Transport
from services.runtime.retry_after import retry_after
from services.runtime.rpc.broker import Broker
from tests.attempts import attempts
from tests.processes import load_of_a_core
from tests.runtime.echo import Echo, Ping, call, serving

pytestmark = pytest.mark.serial

SECONDS = int(os.environ.get("SOAK_SECONDS", "3"))
QUEUED = pytest.mark.parametrize("transport", [Transport.LIST, Transport.STREAM])


@QUEUED
async def test_beyond_the_capacity_of_all_workers_a_call_is_refused_at_once(
    transport: Transport, redis_url: str, caller: Broker, echo: Echo
) -> None:
    async with serving(redis_url, echo, capacity=2):
        for attempt in attempts():
            calls = [
                asyncio.create_task(call(caller, Ping(then="sleep", seconds=0.5), transport, 20))
                for _ in range(30)
            ]
            started = time.monotonic()
            early, _ = await asyncio.wait(calls, timeout=0.3)
            took = time.monotonic() - started
            answers = await asyncio.gather(*calls, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, Overloaded)]
            accepted = [answer for answer in answers if isinstance(answer, Ping)]
            assert len(accepted) + len(refused) == 30, "accepted calls are answered"
            assert all(exc.retry_after is not None and exc.retry_after >= 1 for exc in refused)
            with attempt:
                assert sum(isinstance(task.exception(), Overloaded) for task in early) >= 20
                assert took < 0.5


@QUEUED
async def test_at_twice_the_capacity_accepted_calls_keep_their_latency(
    transport: Transport,
    redis_url: str,
    caller: Broker,
    echo: Echo,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Capacity: 4 at once, 50 ms each, 80 a second. Offered: 160, for a minute in `make soak`.

    On a machine with other work, all of this is slower by the same factor.
    """
    second = load_of_a_core()
    latencies: list[float] = []
    refusals: list[float] = []

    async def ask() -> None:
        started = time.monotonic()
        try:
            await call(caller, Ping(then="sleep", seconds=0.05 * second), transport, 10 * second)
        except Overloaded:
            refusals.append((time.monotonic() - started) / second)
        else:
            latencies.append((time.monotonic() - started) / second)

    for attempt in attempts():
        latencies.clear()
        refusals.clear()
        async with serving(redis_url, echo, capacity=4), asyncio.TaskGroup() as group:
            for _ in range(SECONDS * 160):
                group.create_task(ask())
                await asyncio.sleep(second / 160)
        with attempt:
            assert refusals
            assert len(latencies) > 40 * SECONDS
            latencies_of_the_end = sorted(latencies[-20 * SECONDS :])
            # At most 16 requests wait or are handled: four or five times 50 ms. Without a limit the
            # latency would be 3 s by the end; 1 s tolerates a busy machine.
            assert latencies_of_the_end[int(len(latencies_of_the_end) * 0.95)] < 1
            assert sorted(refusals)[len(refusals) // 2] < 0.2
    p50, p95 = quantiles(latencies, n=20)[9::9]
    with capsys.disabled() if SECONDS > 3 else nullcontext():
        sys.stdout.write(
            f"\n{transport}: {len(latencies)} answered, p50 {p50:.3f} s, p95 {p95:.3f} s;\n"
            f"{len(refusals)} refused, p50 {sorted(refusals)[len(refusals) // 2]:.4f} s\n"
        )


@QUEUED
async def test_a_slow_call_of_quiet_times_makes_no_refused_caller_wait(
    transport: Transport, redis_url: str, caller: Broker, echo: Echo
) -> None:
    async with serving(redis_url, echo, capacity=2):
        for attempt in attempts():
            await call(caller, Ping(then="sleep", seconds=2), transport, 20)
            ping = Ping(then="sleep", seconds=0.02)
            calls = [call(caller, ping, transport, 20) for _ in range(30)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, Overloaded)]
            with attempt:
                assert {one.retry_after for one in refused} == {1}


def test_a_refused_caller_waits_as_long_as_the_middle_call_has_taken() -> None:
    now = time.monotonic()
    assert retry_after([]) == 1
    assert retry_after([now]) == 1
    assert retry_after([now - 40, now - 20.5, now]) == 20
    assert retry_after([now - 600, *[now] * 9]) == 1
    assert retry_after([now - 600] * 3) == 60
