"""Equal renders on two workers with claims in a real Redis; the pixels are a wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from contracts.errors import (
    DeadlineExceeded,
    Gone,
    ImageUnreadable,
    ServiceError,
    WorkerCrashed,
)
from contracts.imaging import INSPECT, Blob, Inspect, Render, Rendered
from services.imaging.pool.executor import CallTimes, Lend
from services.imaging.rendering import claims
from services.imaging.rendering.claims import RenderClaims
from services.imaging.rendering.coalescing import CoalescingRenders
from services.imaging.rendering.renders import Finished, Renders
from services.imaging.settings import ImagingSettings
from services.runtime.capacity import Capacity
from services.runtime.messaging import list_consumer, stream_consumer
from services.runtime.redis import keys
from services.runtime.redis.client import make_redis
from services.runtime.rpc.broker import Broker
from tests.processes import until, until_answer, valkey

SOURCE = Blob(key="a" * 64, media_type="image/png", bytes=1)
CALL = Render(source=SOURCE)
RENDERED = Rendered(
    blob=Blob(key=CALL.result_key(), media_type="image/webp", bytes=2), width=3, height=4
)
CLAIM = keys.render_claim(CALL.result_key())


class FakeRenders(Renders):
    """Renders that take until they are told to end; all workers share the stored result."""

    def __init__(self, stored: set[str]) -> None:
        self.stored = stored
        self.started = self.cancelled = 0
        self.end = asyncio.Event()
        self.error: ServiceError | None = None
        self.heavy = False

    async def render(
        self,
        request: Render,
        *,
        timeout: float,
        lend: Lend,
        admit: Callable[[], Awaitable[None]] | None = None,
    ) -> tuple[Finished, CallTimes]:
        if request.reuse and request.result_key() in self.stored:
            return Finished(RENDERED.model_copy(update={"reused": True})), CallTimes(0, 0)
        if admit is not None:
            await admit()
        self.started += 1
        try:
            with lend() if self.heavy else nullcontext():
                await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        self.stored.add(request.result_key())
        return Finished(RENDERED, b"xy"), CallTimes(1, 2)


class Worker:
    def __init__(self, url: str, stored: set[str]) -> None:
        settings = ImagingSettings(redis_url=url)
        self.broker = Broker(make_redis(settings), settings)
        # A process listens for control messages once it serves something.
        self.broker.serve(INSPECT, self._inspect)
        self.renders = FakeRenders(stored)
        self.coalescing = CoalescingRenders(
            self.renders, RenderClaims(self.broker), settings, self.broker.metrics
        )
        self.capacity = Capacity(4)

    async def _inspect(self, request: Inspect, message: Any) -> None:
        raise NotImplementedError

    def asked(
        self, *, timeout: float = 8, reuse: bool = True
    ) -> asyncio.Task[tuple[Finished, CallTimes]]:
        request = CALL.model_copy(update={"reuse": reuse})
        self.capacity.take()
        task = asyncio.create_task(
            self.coalescing.render(request, timeout=timeout, lend=self.capacity.lent)
        )
        task.add_done_callback(lambda task: self.capacity.give_back())
        return task

    async def asked_and_started(self) -> asyncio.Task[tuple[Finished, CallTimes]]:
        before = self.renders.started
        task = self.asked()
        await until(lambda: self.renders.started > before)
        return task

    async def claimed(self) -> bytes | None:
        value: bytes | None = await self.broker.redis.execute("GET", CLAIM)
        return value

    async def waits(self) -> asyncio.Task[tuple[Finished, CallTimes]]:
        """Ask, and return once another worker is to tell of the end."""
        task = self.asked()
        await self.sees(lambda value: value is not None and value.endswith(b"+"))
        return task

    async def sees(self, true: Callable[[bytes | None], bool]) -> None:
        """Return when the claim is so."""

        async def is_so() -> bool:
            return true(await self.claimed())

        await until_answer(is_so)


@pytest.fixture(scope="module")
def own_redis() -> Iterator[str]:
    """The URL of a server that may be full."""
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture
async def workers(own_redis: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator["Workers"]:
    # A stop waits for the end of a blocking read.
    for module in (list_consumer, stream_consumer):
        monkeypatch.setattr(module, "POLL", 0.05)
    stored: set[str] = set()
    one, other = (Worker(own_redis, stored) for _ in range(2))
    await one.broker.redis.execute("FLUSHALL")
    await asyncio.gather(one.broker.start(), other.broker.start())
    yield one, other
    await asyncio.gather(one.broker.stop(), other.broker.stop())


Workers = tuple[Worker, Worker]


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
    await one.broker.redis.execute("SET", CLAIM, "dead", "PX", 300)
    task = await one.waits()
    one.renders.end.set()
    async with asyncio.timeout(2):
        await task
    assert one.renders.started == 1


async def test_a_waiter_notices_the_end_whose_message_it_missed(workers: Workers) -> None:
    one, other = workers
    first = await one.asked_and_started()
    waits = await other.waits()
    await one.broker.redis.execute("SET", CLAIM, one.broker.worker, "KEEPTTL")
    one.renders.end.set()
    await first
    async with asyncio.timeout(2):
        finished, _ = await waits
    assert finished.rendered.reused


async def test_a_claim_lives_as_long_as_its_render(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LIFE", 0.3)
    monkeypatch.setattr(claims, "_RENEWAL", 0.1)
    one, _ = workers
    first = await one.asked_and_started()
    await asyncio.sleep(0.7)
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
