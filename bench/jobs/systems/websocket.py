"""A WebSocket client that subscribes to jobs and receives their events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect

MAX_JOBS = 1000  # jobs in one subscription message


@asynccontextmanager
async def subscribed(
    url: str,
    posted: asyncio.Queue[str],
    encode: Callable[[list[str]], str],
    on_message: Callable[[str | bytes], None],
) -> AsyncIterator[None]:
    """Within this context, subscribe to every job id put into `posted`.

    `encode` turns job ids into a subscription message; `on_message` is called with each message
    received.
    """
    async with connect(url) as socket:
        tasks = (
            asyncio.create_task(_subscribe(socket, posted, encode)),
            asyncio.create_task(_receive(socket, on_message)),
        )
        yield
        for task in tasks:
            task.cancel()


async def _subscribe(
    socket: ClientConnection, posted: asyncio.Queue[str], encode: Callable[[list[str]], str]
) -> None:
    while True:
        # One message for all jobs that have been posted meanwhile.
        jobs = [await posted.get()]
        while not posted.empty() and len(jobs) < MAX_JOBS:
            jobs.append(posted.get_nowait())
        await socket.send(encode(jobs))


async def _receive(socket: ClientConnection, on_message: Callable[[str | bytes], None]) -> None:
    async for text in socket:
        on_message(text)
