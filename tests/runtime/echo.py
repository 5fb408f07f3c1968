"""Echo method for tests, which can also fail in every way that a handler can."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from faststream import BaseMiddleware
from faststream.redis import RedisMessage, RedisResponse

from contracts.errors import ImageUnreadable
from contracts.message import Message
from contracts.methods import GROUP, Method, Transport
from services.runtime.capacity import Capacity
from services.runtime.introspection.queues import Queues
from services.runtime.liveness.server_clock import Clock
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.rpc.broker import Broker
from services.runtime.settings import RuntimeSettings
from tests.processes import until_answer


class Ping(Message):
    text: str = ""
    then: Literal["answer", "raise", "refuse", "break", "sleep", "wait", "unencodable"] = "answer"
    seconds: float = 0


ECHO: Method[Ping, Ping] = Method("test.echo", Ping, Ping)


class Echo:
    """Handler that records the texts it was sent."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()
        self.go_on = asyncio.Event()  # lets requests that wait be answered

    async def __call__(self, request: Ping, message: RedisMessage) -> RedisResponse:
        self.received.append(request.text)
        self.started.set()
        body: object = request
        match request.then:
            case "raise":
                raise ImageUnreadable("It is torn.", retry_after=3)
            case "break":
                raise ZeroDivisionError
            case "sleep":
                try:
                    await asyncio.sleep(request.seconds)
                finally:
                    self.stopped.set()
            case "wait":
                await self.go_on.wait()
            case "unencodable":
                body = object()
        return RedisResponse(body, correlation_id=message.correlation_id)


class PassThrough(BaseMiddleware[Any, Any]):
    """A middleware of somebody else, which changes nothing."""


MIDDLEWARES: list[type[BaseMiddleware[Any, Any]]] = []
"""The middlewares of every broker that `broker_on` makes."""


def settings_for(redis_url: str, **changes: Any) -> RuntimeSettings:
    """Return settings; a process counts as alive for long, as a busy machine may delay it."""
    return RuntimeSettings(**{"redis_url": redis_url, "heartbeat_ttl": 30.0, **changes})


def broker_on(
    redis_url: str,
    *,
    capacity: int = 8,
    patience: float = 0.0,
    clock: Clock | None = None,
    **changes: Any,
) -> Broker:
    settings = settings_for(redis_url, **changes)
    redis = make_redis(settings)
    broker = Broker(redis, settings, capacity=Capacity(capacity), patience=patience, clock=clock)
    for middleware in MIDDLEWARES:
        broker.add_middleware(middleware)
    return broker


@asynccontextmanager
async def client_without(redis_url: str, *keys: str) -> AsyncIterator[RedisClient]:
    """Open a client of our own, and delete these keys."""
    client = make_redis(settings_for(redis_url))
    await client.execute("DEL", *keys)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def serving(redis_url: str, echo: Echo, *, capacity: int) -> AsyncIterator[Broker]:
    """Run a worker that answers by `echo`, `capacity` requests at a time."""
    broker = broker_on(redis_url, capacity=capacity)
    broker.serve(ECHO, echo.__call__)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


async def call(broker: Broker, ping: object, transport: Transport, timeout: float = 20.0) -> Ping:
    destination: dict[str, Any] = {transport.value: ECHO.address(transport)}
    message = await broker.request(ping, **destination, timeout=timeout)
    return Ping.model_validate_json(message.body)


async def emptied(caller: Broker, transport: Transport) -> None:
    """Wait until no request is queued or handled: an entry is deleted shortly after its answer."""
    queues = Queues.of([ECHO], redis=caller.redis, clock=caller.clock)

    async def is_empty() -> bool:
        return not any(queue.waiting for queue in (await queues.look()).values())

    await until_answer(is_empty)
    if transport is Transport.STREAM:
        pending, *_ = await caller.redis.execute("XPENDING", ECHO.address(transport), GROUP)
        assert pending == 0
