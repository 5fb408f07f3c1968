"""Ending of background tasks by their owners."""

import asyncio
from typing import Any


async def end(task: asyncio.Task[Any] | None, *, seconds: float = 2.0) -> None:
    """Cancel `task` and wait for its end, at most about `seconds`; None is ended already.

    Repeats the cancellation, as one can get lost in a wait that ends in the same moment.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=seconds / 4)
        if asyncio.get_running_loop().time() > deadline:
            return
