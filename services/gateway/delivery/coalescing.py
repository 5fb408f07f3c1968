"""Renders that are equal, asked for at the same time: one call to imaging for all of them.

The calls of several gateways meet in the workers, which have claims of the results that they make.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from contracts.errors import ServiceError
from contracts.imaging import Inspect, Inspected, Render, Rendered
from contracts.methods import Transport
from services.gateway.delivery.find_or_render import FindOrRender
from services.gateway.rpc import ImagingClient, Reply
from services.runtime.rpc.sender import NotSent
from services.runtime.shared_calls import SharedCalls
from services.runtime.telemetry.metrics import Metrics

_Calls = SharedCalls[Reply[Rendered]]
_StartsCall = Callable[..., Coroutine[Any, Any, Reply[Rendered]]]

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
        self._calls = _Calls("render-call")
        self._searches = _Calls("search-call")
        """Calls that may end in NotSent. A request joins one of them at most."""
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
        key, loop = (request.result_key(), transport), asyncio.get_running_loop()
        render = partial(self._imaging.render, request, transport=transport)
        ends = loop.time() + timeout
        if not self._calls.has(key, timeout=timeout) and self._searches.has(key, timeout=timeout):
            with suppress(NotSent):
                return await self._share(self._searches, key, render, timeout)
        return await self._share(self._calls, key, render, ends - loop.time())

    async def find_or_render(
        self, search: FindOrRender, *, timeout: float
    ) -> Reply[Rendered] | None:
        """Render an image, unless the search finds the result.

        Returns None if no worker was asked for it, or if an equal render is under way. Raises
        ValueError if the call failed and what was found can't be read.
        """
        key = search.key, Transport.STREAM
        if any(calls.has(key, timeout=timeout) for calls in (self._calls, self._searches)):
            return None
        call = partial(self._imaging.find_or_render, search, search.request)
        try:
            return await self._share(self._searches, key, call, timeout)
        except NotSent:
            self.expects_renders = False
            return None
        except ServiceError:
            # A worker can't read a request with a damaged description of the image.
            if search.answered:
                search.found()
            raise

    async def _share(
        self, calls: _Calls, key: Hashable, call: _StartsCall, timeout: float
    ) -> Reply[Rendered]:
        """Return the reply to the call under way, `collapsed`, or to one that begins here."""
        joins = calls.has(key, timeout=timeout)
        lasting = timeout + _LONGER
        start = partial(call, timeout=lasting)
        reply = await calls.run(key, start, timeout=timeout, lasting=lasting)
        if joins:
            self._collapsed.inc()
        return replace(reply, collapsed=True) if joins else reply

    async def inspect(self, request: Inspect, *, timeout: float) -> Reply[Inspected]:
        """Describe an image, as `ImagingClient.inspect` does."""
        return await self._imaging.inspect(request, timeout=timeout)
