"""Trying again what may pass: a bounded number of times, later each time, and never in step."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from darkroom.errors import GatewayError

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0  # seconds
_LONGEST_ASKED = 60  # seconds: a longer Retry-After is not obeyed to the letter


async def insist(attempt: Callable[[], Awaitable[T]], tries: int) -> T:
    """What `attempt` gives in the end. Raises GatewayError: its last, or the first for good."""
    for done in range(1, tries):
        try:
            return await attempt()
        except GatewayError as exc:
            if not exc.may_pass:
                raise
            await asyncio.sleep(pause(done, exc.retry_after))
    return await attempt()


def pause(failures: int, retry_after: int | None) -> float:
    """Seconds to wait: what was asked for at least, and a little more, not the same for all."""
    backoff = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (failures - 1))
    asked = min(_LONGEST_ASKED, retry_after or 0)
    return asked + random.uniform(0.5, 1) * backoff
