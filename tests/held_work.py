"""Work that lasts until a test ends it."""

import asyncio


class HeldWork:
    """Waits until `end` is set, then fails with `error` if there is one; counts cancellations."""

    def __init__(self) -> None:
        self.started = self.cancelled = 0
        self.end = asyncio.Event()
        self.error: Exception | None = None

    async def wait(self) -> None:
        """Wait for the end. Raises `error`."""
        self.started += 1
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
