"""Deadlines: each request carries one, and a worker discards a request that is late.

A deadline is a moment by Redis's clock, so the hosts' clocks may differ. Calls that a handler makes
inherit the time that its own request has left.
"""

import time
from contextvars import ContextVar, Token
from typing import Any

from faststream.message import StreamMessage

from services.runtime.liveness.server_clock import Clock
from services.runtime.rpc.discarded import DeadlinePassed

DEADLINE = "x-deadline"
_MAX_DIGITS = 15  # of a Unix time in milliseconds; a longer number is no deadline

_deadline: ContextVar[float | None] = ContextVar("darkroom_deadline", default=None)


def remaining() -> float | None:
    """Return the seconds until the caller of the request handled here stops waiting, 0 at least.

    None outside of a handler, or if the caller set no deadline.
    """
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def deadline_header(seconds: float, clock: Clock) -> dict[str, str]:
    """Return the header of a request whose caller waits for `seconds` from now on."""
    return {DEADLINE: str(int((clock.now() + seconds) * 1000))}


def seconds_left(message: StreamMessage[Any], clock: Clock) -> float | None:
    """Return the seconds until the message's deadline, negative after it; None without one."""
    value = str(message.headers.get(DEADLINE, ""))
    if not value.isdecimal() or len(value) > _MAX_DIGITS:
        return None
    return int(value) / 1000 - clock.now()


class DeadlineScope:
    """Within this context `remaining()` returns the time that a message has left.

    Entering raises DeadlinePassed if no time is left.
    """

    __slots__ = ("_clock", "_message", "_token")
    _token: Token[float | None]

    def __init__(self, message: StreamMessage[Any], clock: Clock) -> None:
        self._message = message
        self._clock = clock

    def __enter__(self) -> None:
        left = seconds_left(self._message, self._clock)
        if left is not None and left <= 0:
            raise DeadlinePassed
        self._token = _deadline.set(None if left is None else time.monotonic() + left)

    def __exit__(self, *exc_info: object) -> None:
        _deadline.reset(self._token)
