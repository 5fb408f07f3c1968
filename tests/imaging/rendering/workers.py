"""Workers with claims in a real Redis; the pixels are a wait."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from contracts.imaging import INSPECT, Blob, Inspect, Render, Rendered
from services.imaging.pool.departures import Depart
from services.imaging.pool.executor import CallTimes, Lend
from services.imaging.rendering.claims import Claim, Offer, RenderClaims
from services.imaging.rendering.coalescing import CoalescingRenders
from services.imaging.rendering.outcomes import Carry, Finished
from services.imaging.rendering.renders import Renders
from services.imaging.settings import ImagingSettings
from services.runtime.capacity import Capacity
from services.runtime.redis import keys
from services.runtime.redis.client import make_redis
from services.runtime.rpc.broker import Broker
from tests.held_work import HeldWork
from tests.processes import until, until_answer

SOURCE = Blob(key="a" * 64, media_type="image/png", bytes=1)
CALL = Render(source=SOURCE)
RENDERED = Rendered(
    blob=Blob(key=CALL.result_key(), media_type="image/webp", bytes=2), width=3, height=4
)
CLAIM = keys.render_claim(CALL.result_key())


class FakeRenders(HeldWork, Renders):
    """Renders that take until they are told to end; all workers share the stored result."""

    def __init__(self, stored: set[str]) -> None:
        HeldWork.__init__(self)
        self.stored = stored
        self.heavy = False

    async def render(
        self,
        request: Render,
        *,
        timeout: float,
        lend: Lend,
        depart: Depart | None = None,
        claim: Claim | None = None,
        carry: Carry | None = None,
    ) -> tuple[Finished, CallTimes]:
        if request.reuse and request.result_key() in self.stored:
            return Finished(RENDERED.model_copy(update={"reused": True})), CallTimes(0, 0)
        if claim is not None:
            await claim.taken()
        with lend() if self.heavy else nullcontext():
            await self.wait()
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
        self, *, timeout: float = 30, reuse: bool = True, offer: Offer | None = None
    ) -> asyncio.Task[tuple[Finished, CallTimes]]:
        request = CALL.model_copy(update={"reuse": reuse})
        self.capacity.take()
        task = asyncio.create_task(
            self.coalescing.render(request, timeout=timeout, lend=self.capacity.lent, offer=offer)
        )
        task.add_done_callback(lambda task: self.capacity.give_back())
        return task

    async def asked_and_started(
        self, offer: Offer | None = None
    ) -> asyncio.Task[tuple[Finished, CallTimes]]:
        before = self.renders.started
        task = self.asked(offer=offer)
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

    async def lasts(self, *, longer_than: float) -> None:
        """Return when the claim has more seconds left than these."""

        async def is_so() -> bool:
            left: int = await self.broker.redis.execute("PTTL", CLAIM)
            return left > 1000 * longer_than

        await until_answer(is_so)

    async def renews(self, *, less_than: float) -> None:
        """Return when the claim has fewer seconds left than these, as its owner has renewed it."""

        async def is_so() -> bool:
            left: int = await self.broker.redis.execute("PTTL", CLAIM)
            return 0 < left < 1000 * less_than

        await until_answer(is_so)

    async def sees(self, true: Callable[[bytes | None], bool]) -> None:
        """Return when the claim is so."""

        async def is_so() -> bool:
            return true(await self.claimed())

        await until_answer(is_so)


Workers = tuple[Worker, Worker]
