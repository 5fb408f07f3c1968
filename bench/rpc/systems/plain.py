"""redis-py without a framework: a list for requests, one Pub/Sub connection for replies.

No deadlines, no error replies, no recovery from a crash: the lower bound for a call over Redis.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis

from bench.rpc.load import TIMEOUT, Call


async def serve(url: str, transport: str) -> None:
    # Any: the types of redis-py's replies are unions over every protocol version.
    redis: Any = Redis.from_url(url)
    while True:
        _, request = await redis.blpop(["echo"], timeout=0)
        reply_to, _, text = request.partition(b" ")
        await redis.publish(reply_to, text)


@asynccontextmanager
async def calling(url: str, transport: str) -> AsyncIterator[Call]:
    redis: Any = Redis(
        connection_pool=BlockingConnectionPool.from_url(url, max_connections=64, timeout=None)
    )
    numbers = count()
    waiting: dict[bytes, asyncio.Future[bytes]] = {}

    async def listen() -> None:
        while True:
            message = await inbox.get_message(timeout=None)
            if message and (reply := waiting.get(message["channel"])) and not reply.done():
                reply.set_result(message["data"])

    async def call(text: str) -> str:
        reply_to = b"replies.%d" % next(numbers)
        waiting[reply_to] = reply = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(TIMEOUT):
                await redis.rpush("echo", reply_to + b" " + text.encode())
                data = await reply
                return str(data.decode())
        finally:
            del waiting[reply_to]

    inbox = redis.pubsub()
    await inbox.psubscribe("replies.*")
    await inbox.get_message(timeout=None)
    listener = asyncio.create_task(listen())
    yield call
    listener.cancel()
