"""Equal renders on two workers with claims in a real Redis; the pixels are a wait."""

import asyncio

import pytest

from contracts.errors import (
    DeadlineExceeded,
    Gone,
    ImageUnreadable,
    ServiceError,
    WorkerCrashed,
)
from services.imaging.pool.departures import Departed
from services.imaging.rendering import claims
from tests.imaging.rendering.workers import CLAIM, Workers
from tests.processes import until


async def test_two_workers_render_once_and_the_waiter_hears_of_the_end(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_LOOK", 60.0)
    one, other = workers
    first = await one.asked_and_started()
    joins = one.asked()
    waits = await other.waits()
    one.renders.end.set()
    replies = await asyncio.gather(first, joins, waits)
    assert (one.renders.started, other.renders.started) == (1, 0)
    assert [one.rendered.reused for one, _ in replies] == [False, True, True]
    assert [one.data for one, _ in replies] == [b"xy", b"xy", b""]
    assert [one.collapsed for one, _ in replies] == [False, True, True]
    for worker in workers:
        registry = worker.broker.metrics.registry
        assert registry.get_sample_value("darkroom_renders_collapsed_total") == 1
    # The waiter claims the rendition as well, until it has found it.
    await one.sees(lambda value: value is None)
    assert one.capacity.taken == other.capacity.taken == 0


async def test_requests_that_wait_for_another_take_no_room(workers: Workers) -> None:
    one, other = workers
    first = await one.asked_and_started()
    joins = one.asked()
    waits = await other.waits()
    assert (one.capacity.taken, other.capacity.taken) == (1, 0)
    one.renders.end.set()
    await asyncio.gather(first, joins, waits)


async def test_a_place_is_given_back_once_when_the_first_caller_leaves(workers: Workers) -> None:
    one, _ = workers
    one.renders.heavy = True
    hasty = one.asked(timeout=0.1)
    await until(lambda: one.capacity.taken == 0)
    stays = one.asked()
    with pytest.raises(DeadlineExceeded):
        await hasty
    await until(lambda: hasty.done() and one.capacity.taken <= 0)
    assert one.capacity.taken == 0
    one.renders.end.set()
    await stays
    await asyncio.sleep(0)
    assert one.capacity.taken == 0


async def test_a_claim_that_would_last_for_ever_gets_an_end(workers: Workers) -> None:
    one, _ = workers
    await one.broker.redis.execute("SET", CLAIM, "dead")
    waits = await one.waits()
    assert 0 < await one.broker.redis.execute("PTTL", CLAIM) <= claims.LIFE * 1000
    waits.cancel()


async def test_a_waiter_renders_when_the_claim_of_a_dead_worker_ends(workers: Workers) -> None:
    one, _ = workers
    await one.broker.redis.execute("SET", CLAIM, "dead", "PX", 60_000)
    task = await one.waits()
    one.renders.end.set()
    await one.broker.redis.execute("PEXPIRE", CLAIM, 1)
    async with asyncio.timeout(20):
        await task
    assert one.renders.started == 1


async def test_a_waiter_notices_the_end_whose_message_it_missed(workers: Workers) -> None:
    one, other = workers
    first = await one.asked_and_started()
    waits = await other.waits()
    await one.broker.redis.execute("SET", CLAIM, one.broker.worker, "KEEPTTL")
    one.renders.end.set()
    await first
    async with asyncio.timeout(20):
        finished, _ = await waits
    assert finished.rendered.reused


async def test_a_claim_lives_as_long_as_its_render(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LIFE", 60)
    monkeypatch.setattr(claims, "_RENEWAL", 0.1)
    one, _ = workers
    first = await one.asked_and_started()
    for _ in range(3):  # it is renewed again and again
        await one.broker.redis.execute("PEXPIRE", CLAIM, 20_000)
        await one.lasts(longer_than=40)
    assert await one.claimed() == one.broker.worker.encode()
    first.cancel()
    await one.sees(lambda value: value is None)
    assert one.renders.cancelled == 1, "the last one who waited has left"


@pytest.mark.parametrize(
    ("error", "renders"),
    [(ImageUnreadable("torn"), 0), (WorkerCrashed("died"), 1), (Gone("deleted"), 1)],
)
async def test_a_failure_of_the_request_is_shared_and_another_one_is_not(
    workers: Workers, error: ServiceError, renders: int
) -> None:
    one, other = workers
    first = await one.asked_and_started()
    waits = await other.waits()
    one.renders.error = other.renders.error = error
    other.renders.end.set()
    one.renders.end.set()
    outcomes = await asyncio.gather(first, waits, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(error)] * 2
    assert other.renders.started == renders


async def test_a_waiter_has_its_own_timeout(workers: Workers) -> None:
    one, other = workers
    first = await one.asked_and_started()
    hasty = (one.asked(timeout=0.05), other.asked(timeout=0.05))
    for task in hasty:
        with pytest.raises(DeadlineExceeded):
            await task
    one.renders.end.set()
    await first
    assert not one.renders.cancelled
    assert one.capacity.taken == other.capacity.taken == 0


async def test_a_render_of_its_own_neither_waits_nor_is_waited_for(workers: Workers) -> None:
    one, _ = workers
    first = await one.asked_and_started()
    own = [one.asked(reuse=False) for _ in range(2)]
    await until(lambda: one.renders.started == 3)
    one.renders.end.set()
    await asyncio.gather(first, *own)


async def test_a_full_store_takes_and_renews_no_claims_and_forbids_no_render(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_RENEWAL", 0.02)
    one, other = workers
    await one.broker.redis.execute("SET", CLAIM, "dead", "PX", 200)
    await one.broker.redis.execute("CONFIG", "SET", "maxmemory", "1")
    tasks = [await worker.asked_and_started() for worker in workers]
    await one.sees(lambda value: value is None)
    one.renders.end.set()
    other.renders.end.set()
    await asyncio.gather(*tasks)
    await one.broker.redis.execute("CONFIG", "SET", "maxmemory", "0")
    assert (one.renders.started, other.renders.started) == (1, 1)


async def test_those_that_joined_a_render_do_it_when_its_first_caller_leaves(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = workers
    wait = one.renders.wait

    async def wait_or_leave() -> None:
        is_first = one.renders.started == 0
        await wait()
        if is_first:
            raise Departed

    monkeypatch.setattr(one.renders, "wait", wait_or_leave)
    first = await one.asked_and_started()
    joins = [one.asked() for _ in range(2)]
    await until(lambda: one.capacity.taken == 1)
    one.renders.end.set()
    with pytest.raises(Departed):
        await first
    replies = await asyncio.gather(*joins)
    assert sorted(reply.rendered.reused for reply, _ in replies) == [False, True]
    assert one.renders.started == 2
