"""Renders that are equal, asked for at the same time: one call to imaging for all of them.

The calls of several gateways meet in the workers, which have claims of the results that they make.
"""

from dataclasses import replace
from functools import partial

from contracts.imaging import Inspect, Inspected, Render, Rendered
from contracts.methods import Transport
from services.gateway.delivery.find_or_render import FindOrRender
from services.gateway.rpc import ImagingClient, Reply
from services.runtime.rpc.sender import NotSent
from services.runtime.shared_calls import SharedCalls
from services.runtime.telemetry.metrics import Metrics

_LONGER = 1.0
"""Seconds that a call lasts beyond the timeout of the request that it began with.

Requests of the same timeout join it for so long. Those that arrive later, or wait for longer, have
another call, which the worker joins to the render that is under way.
"""


class CoalescingClient:
    """Calls the imaging service's methods; equal renders share one call.

    Raises as `ImagingClient`, and each request has its own timeout. A request that wants a render
    of its own (`reuse=False`) gets one.
    """

    def __init__(self, imaging: ImagingClient, metrics: Metrics) -> None:
        self._imaging = imaging
        self._calls = SharedCalls[Reply[Rendered]]("render-call")
        self._collapsed = metrics.renders_collapsed
        self.expects_renders = True
        """True if the last request needed a render, as the next one may."""

    async def render(
        self, request: Render, *, timeout: float, transport: Transport = Transport.STREAM
    ) -> Reply[Rendered]:
        """Render an image, or wait for the render of an equal request.

        The reply is `collapsed` in the second case.
        """
        self.expects_renders = True
        if not request.reuse:
            return await self._imaging.render(request, timeout=timeout, transport=transport)
        key = request.result_key(), transport
        joins = self._calls.has(key, timeout=timeout)
        if joins:
            self._collapsed.inc()
        lasting = timeout + _LONGER
        start = partial(self._imaging.render, request, timeout=lasting, transport=transport)
        try:
            reply = await self._calls.run(key, start, timeout=timeout, lasting=lasting)
        except NotSent:
            # It was the call of a search, and has ended: the next one is for certain.
            reply = await self._calls.run(key, start, timeout=timeout, lasting=lasting)
        return replace(reply, collapsed=True) if joins else reply

    async def find_or_render(
        self, search: FindOrRender, *, timeout: float
    ) -> Reply[Rendered] | None:
        """Render an image, unless the search finds the result.

        Returns None if no worker was asked for it, or if an equal render is under way.
        """
        key = search.key, Transport.STREAM
        if self._calls.has(key, timeout=timeout):
            return None
        lasting = timeout + _LONGER
        start = partial(self._imaging.find_or_render, search, search.request, timeout=lasting)
        try:
            return await self._calls.run(key, start, timeout=timeout, lasting=lasting)
        except NotSent:
            self.expects_renders = False
            return None

    async def inspect(self, request: Inspect, *, timeout: float) -> Reply[Inspected]:
        """Describe an image, as `ImagingClient.inspect` does."""
        return await self._imaging.inspect(request, timeout=timeout)
