"""FastStream unchanged: `broker.request` with its default pool and subscribers."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from faststream.redis import ListSub, RedisBroker, StreamSub
from pydantic import BaseModel

from bench.rpc.load import TIMEOUT, Call

NO_LOG: Any = None  # FastStream accepts None; its type annotations do not


class Echo(BaseModel):
    text: str


async def echo(request: Echo) -> Echo:
    return request


async def serve(url: str, transport: str) -> None:
    broker = RedisBroker(url, logger=NO_LOG)
    group = StreamSub("echo", group="workers", consumer=str(os.getpid()))
    address: Any = {"channel": "echo", "list": ListSub("echo"), "stream": group}[transport]
    subscription: dict[str, Any] = {transport: address}
    broker.subscriber(**subscription)(echo)
    await broker.start()
    await asyncio.Event().wait()


@asynccontextmanager
async def calling(url: str, transport: str) -> AsyncIterator[Call]:
    destination: dict[str, Any] = {transport: "echo"}
    async with RedisBroker(url, logger=NO_LOG) as broker:

        async def call(text: str) -> str:
            message = await broker.request(Echo(text=text), **destination, timeout=TIMEOUT)
            return Echo.model_validate_json(message.body).text

        yield call
