"""Renders for callers without a key, which go on when those callers leave.

Such a caller pays with its project's megapixels, and may be anybody. If its render were cancelled
with the request, it could be asked for, paid and cancelled again and again until nothing is left
for others. So a render that was paid for ends, and its result is stored for all who ask for it.
"""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from contracts.imaging import Rendered
from services.gateway.rpc import Reply
from services.runtime.shared_calls import SharedCalls

_LONGER = 2
"""Times the timeout of its first visitor, for which a render may last.

Visitors join it, and so pay once, as long as it lasts for their own timeout. A render that takes
longer than one timeout is stored for those who ask again.
"""


class Visits:
    """The renders under way for callers without a key: equal ones are charged once."""

    def __init__(self) -> None:
        self._calls = SharedCalls[Reply[Rendered]]("visitor-render", finished=True)

    async def render(
        self,
        project: str,
        key: str,
        charged: Callable[[float], Coroutine[Any, Any, Reply[Rendered]]],
        *,
        timeout: float,
    ) -> Reply[Rendered]:
        """Return the result `key` of a project: wait for its render, or begin one.

        `charged` charges a render and does it within the given seconds. The reply is `collapsed`
        for those who join. Raises what `charged` raises, and DeadlineExceeded after `timeout`
        seconds, while the render goes on.
        """
        name, lasting = (project, key), timeout * _LONGER
        joins = self._calls.has(name, timeout=timeout)
        start = partial(charged, lasting)
        reply = await self._calls.run(name, start, timeout=timeout, lasting=lasting)
        return replace(reply, collapsed=True) if joins else reply
