"""Requests that found their queue full, and wait in this process until there is room.

A page of forty pictures asks for all of them at once, and a browser does not ask again after a 503.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_INTERVAL = 0.05
"""Seconds between two attempts while this process gets no reply: others may have made room."""

Send = Callable[[Callable[[Any], None]], None]
"""Sends a request, and calls its argument with Redis's answer: negative if the queue is full."""


@dataclass(slots=True)
class _Request:
    send: Send
    end: Callable[[Any], None]  # takes the answer that counts
    reply: asyncio.Future[bytes]
    until: float


class WaitingLine:
    """Sends requests to one queue, again for `patience` seconds at most while it is full.

    First come, first served: while one waits, later ones wait behind it, and only the first is
    tried. Without patience, a full queue refuses at once.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._line: deque[_Request] = deque()
        self._is_trying = False
        self._full: Any = None  # Redis's last answer about the full queue
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._line)

    def send(
        self, send: Send, end: Callable[[Any], None], reply: asyncio.Future[bytes], timeout: float
    ) -> None:
        """Send a request, now or when it is its turn; `end` gets Redis's last answer.

        A request leaves the line when its `reply` is done. It waits for half of its `timeout`
        (seconds) at most: the rest is for the work.
        """
        if not self._patience:
            send(end)
            return
        until = time.monotonic() + min(self._patience, timeout / 2)
        request = _Request(send, end, reply, until)
        if self._line or self._is_trying:
            self._line.append(request)
        else:
            self._try(request)

    def advance(self) -> None:
        """Try the first request that waits: there may be room, as a reply has come."""
        if self._is_trying:
            return
        while self._line:
            request = self._line.popleft()
            if not request.reply.done():
                self._try(request, first=True)
                return

    def _try(self, request: _Request, *, first: bool = False) -> None:
        """Send a request; one that was the `first` of the line holds up the others meanwhile."""
        self._is_trying = self._is_trying or first

        def on_sent(answer: Any) -> None:
            if first:
                self._is_trying = False
            is_full = isinstance(answer, int) and answer < 0
            if is_full and time.monotonic() < request.until and not request.reply.done():
                self._full = answer
                self._put_back(request, first=first)
                return
            request.end(answer)
            if first:
                # In a turn of its own: many that are refused at once would nest their calls.
                asyncio.get_running_loop().call_soon(self.advance)

        request.send(on_sent)

    def _put_back(self, request: _Request, *, first: bool) -> None:
        if first:
            self._line.appendleft(request)
        else:
            self._line.append(request)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._end_late()
        self.advance()
        if self._line or self._is_trying:
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._tick)

    def _end_late(self) -> None:
        """End requests that have waited long enough, and drop those whose callers have left.

        One behind the first may have less time than the first.
        """
        now = time.monotonic()
        line, self._line = self._line, deque()
        for request in line:
            if request.reply.done():
                continue
            if request.until <= now:
                request.end(self._full)
            else:
                self._line.append(request)
