"""Work that is ahead of a job that is accepted now."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

_RECENT = 0.1  # seconds


@dataclass(frozen=True)
class Backlog:
    """The jobs that are open, and the rate at which jobs end."""

    queued: Annotated[int, Field(description="Number of queued jobs.")]
    running: Annotated[int, Field(description="Number of running jobs.")]
    later: Annotated[int, Field(description="Number of jobs that wait for a retry.")]
    age: Annotated[float, Field(description="Seconds that the first queued job has waited.")]
    rate: Annotated[float, Field(description="Jobs per second that ended in the last minute.")]

    @property
    def wait(self) -> int:
        """Estimated seconds until a job that is accepted now has ended: 1 to 60."""
        ahead = self.queued + self.running + 1
        return min(60, max(1, round(ahead / self.rate))) if self.rate else min(60, max(1, ahead))


class RecentBacklog:
    """The backlog as it was a tenth of a second ago, for many callers."""

    def __init__(self, ask: Callable[[], Awaitable[Backlog]]) -> None:
        """`ask` returns the backlog as it is now."""
        self._ask = ask
        self._last: tuple[float, Backlog] | None = None
        self._asking: asyncio.Task[Backlog] | None = None

    async def get(self) -> Backlog:
        """Return the backlog, of which callers in the same moment ask once. Raises what `ask` does.

        A hundred jobs that are accepted together would otherwise ask a hundred times.
        """
        if self._last is not None and time.monotonic() - self._last[0] < _RECENT:
            return self._last[1]
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._renew(), name="backlog")
        # The question goes on when one of its callers is cancelled.
        return await asyncio.shield(self._asking)

    async def _renew(self) -> Backlog:
        backlog = await self._ask()
        self._last = time.monotonic(), backlog
        return backlog
