"""A WebSocket over which a client asks for its jobs' ends, and hears of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect

AT_ONCE = 1000  # jobs that one message may ask for


@asynccontextmanager
async def pushes(
    url: str,
    posted: asyncio.Queue[str],
    ask: Callable[[list[str]], str],
    hear: Callable[[str | bytes], None],
) -> AsyncIterator[None]:
    """Within it, `hear` is called with what is said of the jobs in `posted`; `ask` words that."""
    async with connect(url) as socket:
        tasks = (
            asyncio.create_task(_ask_for(socket, posted, ask)),
            asyncio.create_task(_hear(socket, hear)),
        )
        yield
        for task in tasks:
            task.cancel()


async def _ask_for(
    socket: ClientConnection, posted: asyncio.Queue[str], ask: Callable[[list[str]], str]
) -> None:
    while True:
        # All that have been posted meanwhile, in one message.
        jobs = [await posted.get()]
        while not posted.empty() and len(jobs) < AT_ONCE:
            jobs.append(posted.get_nowait())
        await socket.send(ask(jobs))


async def _hear(socket: ClientConnection, hear: Callable[[str | bytes], None]) -> None:
    async for text in socket:
        hear(text)
