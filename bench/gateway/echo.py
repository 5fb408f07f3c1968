"""The echo worker of the round trip: `python -m bench.gateway.echo`; it ends with its input."""

import asyncio
import os
import sys

import uvloop
from faststream.redis import RedisMessage, RedisResponse

from contracts.message import Message
from contracts.methods import Method
from services.runtime.capacity import Capacity
from services.runtime.redis.client import make_redis
from services.runtime.rpc.broker import Broker
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry.logging import configure_logging

CAPACITY = 400  # messages handled concurrently: as many as there are users


class Echo(Message):
    text: str


ECHO: Method[Echo, Echo] = Method("bench.echo", Echo, Echo)


def make_broker(url: str) -> Broker:
    """Return a broker that logs warnings and errors only."""
    configure_logging("WARNING")
    settings = RuntimeSettings(redis_url=url)
    return Broker(make_redis(settings), settings, capacity=Capacity(CAPACITY))


async def echo(request: Echo, message: RedisMessage) -> RedisResponse:
    return RedisResponse(request, correlation_id=message.correlation_id)


async def main() -> None:
    """Echo until standard input is closed."""
    broker = make_broker(os.environ["REDIS_URL"])
    broker.serve(ECHO, echo)
    await broker.start()
    await asyncio.to_thread(sys.stdin.read)
    await broker.stop()


if __name__ == "__main__":
    uvloop.run(main())
