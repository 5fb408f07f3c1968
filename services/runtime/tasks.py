"""Every task has an owner who ends it, and doesn't wait for its end for ever."""

import asyncio
from typing import Any


async def end(task: asyncio.Task[Any] | None, *, seconds: float = 2.0) -> None:
    """Cancel `task` and wait for its end; a cancellation that got lost is repeated."""
    deadline = asyncio.get_running_loop().time() + seconds
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=seconds / 4)
        if asyncio.get_running_loop().time() > deadline:
            return
