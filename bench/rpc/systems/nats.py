"""nats-py's request and reply over nats-server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats

from bench.rpc.load import TIMEOUT, Call


async def serve(url: str, transport: str) -> None:
    client = await nats.connect(url)

    async def echo(message: Any) -> None:
        await message.respond(message.data)

    await client.subscribe("echo", cb=echo)
    await asyncio.Event().wait()


@asynccontextmanager
async def calling(url: str, transport: str) -> AsyncIterator[Call]:
    client = await nats.connect(url)

    async def call(text: str) -> str:
        answer: Any = await client.request("echo", text.encode(), timeout=TIMEOUT)
        return str(answer.data.decode())

    yield call
    await client.close()
