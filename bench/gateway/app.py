"""The load test's own service: the same request handled in six ways, each costing a bit more."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from bench.gateway.echo import ECHO, Echo, make_broker
from contracts.methods import Transport

STREAM = "bench.items"
KEPT = 10_000  # entries: a load test must not fill Redis


class WebhookQueue:
    """What an application would do with the outcome of a delivery: count, and alarm."""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0

    def tell(self, error: Exception | None) -> None:
        if error is None:
            self.done += 1
        else:
            self.failed += 1


def create_app() -> FastAPI:
    """An endpoint for each way, all for the same body."""
    broker = make_broker(os.environ["REDIS_URL"])
    deliveries = WebhookQueue()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await broker.start()
        yield
        await broker.stop()

    async def no_op(item: Echo) -> dict[str, Any]:
        return {"text": item.text}

    async def fire_and_forget(item: Echo) -> dict[str, Any]:
        broker.publish_soon(item, stream=STREAM, maxlen=KEPT)
        return {"text": item.text}

    async def out_of_band(item: Echo) -> dict[str, Any]:
        broker.publish_soon(item, stream=STREAM, maxlen=KEPT, on_delivery=deliveries.tell)
        return {"text": item.text}

    async def with_callback(item: Echo) -> dict[str, Any]:
        loop = asyncio.get_running_loop()

        def dispatch(error: Exception | None) -> None:
            loop.call_soon(deliveries.tell, error)

        broker.publish_soon(item, stream=STREAM, maxlen=KEPT, on_delivery=dispatch)
        return {"text": item.text}

    async def awaited(item: Echo) -> dict[str, Any]:
        await broker.publish(item, stream=STREAM, maxlen=KEPT)
        return {"text": item.text}

    async def round_trip(item: Echo) -> dict[str, Any]:
        answer = await broker.request(item, stream=ECHO.address(Transport.STREAM), timeout=5)
        return {"text": Echo.model_validate_json(answer.body).text}

    async def undelivered() -> int:
        return broker.outbox.failures

    app = FastAPI(lifespan=lifespan)
    app.get("/undelivered")(undelivered)
    ways = (no_op, fire_and_forget, out_of_band, with_callback, awaited, round_trip)
    for way in ways:
        app.post(f"/items/{way.__name__.replace('_', '-')}")(way)
    return app
