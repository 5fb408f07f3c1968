"""The service under load: six endpoints for the same request, in the order of their cost."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from bench.gateway.echo import ECHO, Echo, make_broker
from contracts.methods import Transport
from services.runtime.gc_tuning import settle

STREAM = "bench.items"
MAX_LENGTH = 10_000  # entries of the stream: a load test must not fill Redis


class DeliveryCounter:
    """Counts outcomes of deliveries, as an application would for its metrics."""

    def __init__(self) -> None:
        self.delivered = 0
        self.failed = 0

    def record(self, error: Exception | None) -> None:
        """Count a delivery; `error` is None for a success."""
        if error is None:
            self.delivered += 1
        else:
            self.failed += 1


def create_app() -> FastAPI:
    """Return the application; the server's address is in REDIS_URL."""
    broker = make_broker(os.environ["REDIS_URL"])
    deliveries = DeliveryCounter()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await broker.start()
        settle()
        yield
        await broker.stop()

    async def no_op(item: Echo) -> dict[str, Any]:
        return {"text": item.text}

    async def fire_and_forget(item: Echo) -> dict[str, Any]:
        broker.publish_soon(item, stream=STREAM, maxlen=MAX_LENGTH)
        return {"text": item.text}

    async def out_of_band(item: Echo) -> dict[str, Any]:
        broker.publish_soon(item, stream=STREAM, maxlen=MAX_LENGTH, on_delivery=deliveries.record)
        return {"text": item.text}

    async def with_callback(item: Echo) -> dict[str, Any]:
        loop = asyncio.get_running_loop()

        def dispatch(error: Exception | None) -> None:
            loop.call_soon(deliveries.record, error)

        broker.publish_soon(item, stream=STREAM, maxlen=MAX_LENGTH, on_delivery=dispatch)
        return {"text": item.text}

    async def awaited(item: Echo) -> dict[str, Any]:
        await broker.publish(item, stream=STREAM, maxlen=MAX_LENGTH)
        return {"text": item.text}

    async def round_trip(item: Echo) -> dict[str, Any]:
        answer = await broker.request(item, stream=ECHO.address(Transport.STREAM), timeout=5)
        return {"text": Echo.model_validate_json(answer.body).text}

    async def undelivered() -> int:
        return broker.outbox.failures

    app = FastAPI(lifespan=lifespan)
    app.get("/undelivered")(undelivered)
    endpoints = (no_op, fire_and_forget, out_of_band, with_callback, awaited, round_trip)
    for endpoint in endpoints:
        app.post(f"/items/{endpoint.__name__.replace('_', '-')}")(endpoint)
    return app
