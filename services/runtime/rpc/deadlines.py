"""Deadlines travel with a request: what is late is dropped before it is started.

On the wire a deadline is a moment by Redis's clock, so that the hosts' own clocks don't matter.
While a request is handled its remainder is at hand, and calls made meanwhile inherit it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from faststream.message import StreamMessage

from services.runtime.liveness.server_clock import Clock
from services.runtime.rpc.dropping import Late

DEADLINE = "x-deadline"

_ends: ContextVar[float | None] = ContextVar("darkroom_deadline", default=None)


def remaining() -> float | None:
    """Seconds until the caller of the request that is handled here stops waiting.

    None where no request is handled, or where its caller set no deadline.
    """
    ends = _ends.get()
    return None if ends is None else max(0.0, ends - time.monotonic())


def deadline_header(seconds: float, clock: Clock) -> dict[str, str]:
    """The header that says that nobody waits in `seconds` any more."""
    return {DEADLINE: str(int((clock.now() + seconds) * 1000))}


def seconds_left(message: StreamMessage[Any], clock: Clock) -> float | None:
    """Until the message's deadline, negative when it has passed; None if it has none."""
    value = str(message.headers.get(DEADLINE, ""))
    # Longer than any moment is: not a deadline, and not worth reading.
    if not value.isdecimal() or len(value) > 15:
        return None
    return int(value) / 1000 - clock.now()


@contextmanager
def keeping_deadline(message: StreamMessage[Any], clock: Clock) -> Iterator[None]:
    """Within it `remaining()` is what the message's caller has left. Raises Late if that's none."""
    left = seconds_left(message, clock)
    if left is not None and left <= 0:
        raise Late
    token = _ends.set(None if left is None else time.monotonic() + left)
    try:
        yield
    finally:
        _ends.reset(token)
