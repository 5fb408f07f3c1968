"""When this process is told to stop: streams without an end of their own have to know at once.

uvicorn waits for every open answer before it lets the application shut down, so that would be too
late to end them.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Shutdown:
    """Set from the moment at which a signal asks for the end."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    async def watch(self) -> None:
        """Listen for the signals, and leave them to whoever listens already."""
        if threading.current_thread() is not threading.main_thread():
            return  # Signals are the main thread's; whoever runs this elsewhere ends it otherwise.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hearing(loop, signal.getsignal(number)))

    async def wait(self) -> None:
        """Return once the end is asked for."""
        await self._event.wait()

    def _hearing(
        self, loop: asyncio.AbstractEventLoop, before: Any
    ) -> Callable[[int, FrameType | None], None]:
        def hear(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._event.set)
            if callable(before):
                before(number, frame)

        return hear
