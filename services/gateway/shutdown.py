"""Notify endless streams that the process is stopping, as soon as its signal arrives.

uvicorn waits for every open response before it starts the application's shutdown. A stream that
waited for that shutdown would delay it for ever.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Shutdown:
    """An event that is set when the process receives SIGINT or SIGTERM."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.began = False
        """True once the process is asked to stop: a plain attribute, as each request reads it."""

    async def watch(self) -> None:
        """Install signal handlers that set the event and then call the previous handler.

        Does nothing outside the main thread, which alone may install signal handlers.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handler(loop, signal.getsignal(number)))

    def begin(self) -> None:
        """Set the event."""
        self.began = True
        self._event.set()

    async def wait(self) -> None:
        """Return once the process is asked to stop."""
        await self._event.wait()

    def _handler(
        self, loop: asyncio.AbstractEventLoop, previous: Any
    ) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.begin)
            if callable(previous):
                previous(number, frame)

        return handle
