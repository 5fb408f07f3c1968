"""Retry transient failures: a bounded number of attempts with exponential backoff and jitter."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from darkroom.errors import MAX_RETRY_AFTER, GatewayError

T = TypeVar("T")

_FIRST_DELAY, _MAX_DELAY = 0.25, 10.0  # seconds


async def retry(attempt: Callable[[], Awaitable[T]], attempts: int) -> T:
    """Call `attempt` up to `attempts` times until it succeeds; return its result.

    Raises the GatewayError of the last attempt, or the first one that is not transient.
    """
    for done in range(1, attempts):
        try:
            return await attempt()
        except GatewayError as exc:
            if not exc.is_transient:
                raise
            await asyncio.sleep(retry_delay(done, exc.retry_after))
    return await attempt()


def retry_delay(failures: int, retry_after: int | None) -> float:
    """Return the seconds to wait after so many failures: Retry-After plus a random backoff."""
    backoff = min(_MAX_DELAY, _FIRST_DELAY * 2.0 ** (failures - 1))
    requested = min(MAX_RETRY_AFTER, retry_after or 0)
    return requested + random.uniform(0.5, 1) * backoff
