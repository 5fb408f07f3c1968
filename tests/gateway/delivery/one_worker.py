"""A gateway's client of the imaging service, and a worker that answers when it is told to."""

import asyncio
from collections.abc import Mapping

from faststream.redis import RedisMessage, RedisResponse

from contracts.imaging import RENDER, Blob, Render, Rendered
from contracts.operations.pipeline import Pipeline
from services.gateway.delivery.coalescing import CoalescingClient
from services.gateway.rpc import ImagingClient, Reply
from services.runtime.capacity import Capacity
from services.runtime.faststream_adapter.message import fields_of
from services.runtime.redis.client import make_redis
from services.runtime.rpc.attachments import ATTACH_UP_TO
from services.runtime.rpc.broker import Broker
from services.runtime.settings import RuntimeSettings
from tests.held_work import HeldWork

SOURCE = Blob(key="a" * 64, media_type="image/png", bytes=1)
RENDERED = Rendered(blob=Blob(key="b" * 64, media_type="image/webp", bytes=2), width=3, height=4)


class Worker(HeldWork):
    """A worker that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Render] = []
        self.attached = b""
        self.headers: dict[str, str] = {}
        self.wanted: list[str | None] = []
        self.entries: list[Mapping[bytes, bytes]] = []

    async def __call__(self, request: Render, message: RedisMessage) -> RedisResponse:
        self.requests.append(request)
        self.entries.append(fields_of(message))
        self.wanted.append(message.headers.get(ATTACH_UP_TO))
        await self.wait()
        body = RENDERED.model_dump_json().encode() + self.attached
        headers = {"content-type": "application/json", **self.headers}
        return RedisResponse(body, headers=headers, correlation_id=message.correlation_id)


class Suite:
    def __init__(self, url: str) -> None:
        # On a busy machine, and no heartbeat says anew how much room there is within a test.
        settings = RuntimeSettings(redis_url=url, heartbeat_interval=10, heartbeat_ttl=30)
        self.worker = Worker()
        self.serving = Broker(make_redis(settings), settings, capacity=Capacity(100))
        self.serving.serve(RENDER, self.worker)
        self.gateway = Broker(make_redis(settings), settings)
        imaging = ImagingClient(self.gateway, max_calls=100)
        self.client = CoalescingClient(imaging, self.gateway.metrics)

    @property
    def collapsed(self) -> float | None:
        return self.gateway.metrics.registry.get_sample_value("darkroom_renders_collapsed_total")

    def asked(
        self, times: int, *, timeout: float = 20, reuse: bool = True
    ) -> list[asyncio.Task[Reply[Rendered]]]:
        call = Render(source=SOURCE, pipeline=Pipeline(), reuse=reuse)
        return [
            asyncio.create_task(self.client.render(call, timeout=timeout)) for _ in range(times)
        ]
