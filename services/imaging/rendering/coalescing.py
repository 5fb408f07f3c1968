"""Renders that are equal, asked for at the same time: one of them is done, on one worker."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial

from contracts.imaging import Render
from services.imaging.pool.departures import Depart, Departed
from services.imaging.pool.executor import CallTimes, Lend
from services.imaging.rendering.claims import ClaimedElsewhere, Offer, RenderClaims
from services.imaging.rendering.outcomes import Carry, Finished
from services.imaging.rendering.renders import Renders
from services.imaging.settings import ImagingSettings
from services.runtime.shared_calls import SharedCalls
from services.runtime.telemetry.metrics import Metrics

WAITING = 8
"""Requests that wait for the render of another one and don't count as handled meanwhile."""


class _OtherDeparted(Exception):
    """The request that began a shared render has departed."""


class CoalescingRenders:
    """Renders for clients that wait; equal requests at the same time are rendered once.

    That holds over all workers. A render that nobody waits for any more is cancelled.
    """

    def __init__(
        self, renders: Renders, claims: RenderClaims, settings: ImagingSettings, metrics: Metrics
    ) -> None:
        self._renders = renders
        self.claims = claims
        self._timeout = settings.render_timeout
        self._calls = SharedCalls[tuple[Finished, CallTimes]]("render")
        self._collapsed = metrics.renders_collapsed
        self._waiting = 0

    async def render(
        self,
        request: Render,
        *,
        timeout: float,
        lend: Lend,
        depart: Depart | None = None,
        offer: Offer | None = None,
        carry: Carry | None = None,
    ) -> tuple[Finished, CallTimes]:
        """Render, or wait for an equal render, for `timeout` seconds. Raises as `Renders.render`.

        A request that wants a render of its own (`reuse=False`) gets one. `offer` came with the
        request.
        """
        if not request.reuse:
            return await self._renders.render(
                request, timeout=timeout, lend=lend, depart=depart, carry=carry
            )
        now = asyncio.get_running_loop().time
        ends = now() + timeout
        while True:
            try:
                return await self._render_once(
                    request,
                    timeout=ends - now(),
                    lend=lend,
                    depart=depart,
                    offer=offer,
                    carry=carry,
                )
            except _OtherDeparted:
                continue

    async def _render_once(
        self,
        request: Render,
        *,
        timeout: float,
        lend: Lend,
        depart: Depart | None,
        offer: Offer | None,
        carry: Carry | None,
    ) -> tuple[Finished, CallTimes]:
        """Do as `render`; raise _OtherDeparted if the request that began the render has."""
        key = request.result_key()
        joins = self._calls.has(key, timeout=timeout)
        if joins and offer is not None:
            # The render that this request joins may wait for the claim.
            offer.give_up()
        place = _Place(lend)
        start = partial(self._render, key, request, place.lent, depart, offer, carry)
        # The render takes no caller's timeout: another one may join it, and wait for longer.
        call = self._calls.run(key, start, timeout=timeout, lasting=math.inf)
        if not joins:
            with closing(place):
                return await call
        self._collapsed.inc()
        with self._lent(lend):
            try:
                finished, times = await call
            except Departed as exc:
                raise _OtherDeparted from exc
        rendered = finished.rendered.model_copy(update={"reused": True})
        return Finished(rendered, finished.data, collapsed=True), times

    async def _render(
        self,
        key: str,
        request: Render,
        lend: Lend,
        depart: Depart | None,
        offer: Offer | None,
        carry: Carry | None,
    ) -> tuple[Finished, CallTimes]:
        """Render as the only worker, or return what another one has rendered."""
        waited = False
        while True:
            try:
                with self.claims.claim(key, offer) as claim:
                    finished, times = await self._renders.render(
                        request,
                        timeout=self._timeout,
                        lend=lend,
                        depart=depart,
                        claim=claim,
                        carry=carry,
                    )
                return replace(finished, collapsed=waited and finished.rendered.reused), times
            except ClaimedElsewhere:
                waited = True
                self._collapsed.inc()
                with self._lent(lend):
                    failure = await self.claims.wait(key)
                if failure is not None:
                    raise failure.error() from None

    @contextmanager
    def _lent(self, lend: Lend) -> Iterator[None]:
        """Let the worker take another message meanwhile: a wait needs no slot."""
        if self._waiting >= WAITING:
            yield
            return
        self._waiting += 1
        try:
            with lend():
                yield
        finally:
            self._waiting -= 1


class _Place:
    """The place of the caller that began a shared render.

    The render can lend it until `close`, when that caller leaves and gives it back: others may
    still wait for the render.
    """

    def __init__(self, lend: Lend) -> None:
        self._lend = lend
        self._loan = ExitStack()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Lend the place within the context; do nothing once it is closed."""
        with self._loan:
            self._loan.enter_context(self._lend())
            yield

    def close(self) -> None:
        """End the loan, and lend no more."""
        self._lend = nullcontext
        self._loan.close()
