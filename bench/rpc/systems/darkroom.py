"""Darkroom's runtime, set up as its services set it up, logging warnings and errors only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from faststream.redis import RedisMessage, RedisResponse

from bench.rpc.load import TIMEOUT, Call
from contracts.message import Message
from contracts.methods import Method, Transport
from services.runtime.capacity import Capacity
from services.runtime.gc_tuning import settle
from services.runtime.redis.client import make_redis
from services.runtime.rpc.broker import Broker
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry.logging import configure_logging

# Messages handled concurrently; four times as many may wait. Refusals under overload are correct,
# but they are not measured here.
CAPACITY = 4000


class Echo(Message):
    text: str


ECHO: Method[Echo, Echo] = Method("bench.echo", Echo, Echo)


async def echo(request: Echo, message: RedisMessage) -> RedisResponse:
    return RedisResponse(request, correlation_id=message.correlation_id)


async def serve(url: str, transport: str) -> None:
    broker = _broker(url)
    broker.serve(ECHO, echo)
    await broker.start()
    settle()
    await asyncio.Event().wait()


@asynccontextmanager
async def calling(url: str, transport: str) -> AsyncIterator[Call]:
    broker = _broker(url)
    destination: dict[str, Any] = {transport: ECHO.address(Transport(transport))}

    async def call(text: str) -> str:
        message = await broker.request(Echo(text=text), **destination, timeout=TIMEOUT)
        return ECHO.reply.model_validate_json(message.body).text

    await broker.start()
    settle()
    yield call
    await broker.stop()


def _broker(url: str) -> Broker:
    configure_logging("WARNING")
    settings = RuntimeSettings(redis_url=url)
    return Broker(make_redis(settings), settings, capacity=Capacity(CAPACITY))
