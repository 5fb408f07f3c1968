"""Darkroom's jobs without HTTP: submit, and follow events, as the gateway does."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.jobs.systems.interface import KEPT
from bench.jobs.systems.job_ends import JobEnds
from bench.jobs.workload import PIPELINE
from contracts.access.keys import DEFAULT_PROJECT
from contracts.jobs import EVENTS
from services.runtime.gc_tuning import settle
from services.runtime.jobs.own_events import published_event
from services.runtime.jobs.store import Jobs
from services.runtime.messaging.consumer import Received
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.rpc.broker import Broker
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.images import Images
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.logging import configure_logging
from services.runtime.telemetry.metrics import Metrics


class Client:
    waiters = 64

    def __init__(self, redis: RedisClient, settings: RuntimeSettings, ends: JobEnds) -> None:
        storage = make_storage(settings, redis, Metrics())
        self._images, self._renditions = Images(storage), Renditions(storage)
        self._jobs = Jobs(redis, settings)
        self._ends = ends

    async def store(self, data: bytes) -> str:
        return (await self._images.keep_bytes(data, ttl=KEPT)).blob.key

    async def submit(self, image: str) -> str:
        return (await self._jobs.submit(image, (PIPELINE,), submitter="bench")).id

    async def ended(self, job: str) -> None:
        await self._ends.wait(job)

    async def result(self, job: str) -> bytes:
        (result,) = (await self._jobs.find(DEFAULT_PROJECT, job)).results
        assert result.blob is not None
        data = await self._renditions.get(result.blob)
        assert data is not None
        return data


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Client]:
    settings = RuntimeSettings(redis_url=os.environ["REDIS_URL"], log_level="WARNING")
    configure_logging(settings.log_level)
    redis, ends = make_redis(settings), JobEnds()

    async def on_event(received: Received) -> None:
        ends.on_event(published_event(received))

    broker = Broker(redis, settings)
    broker.follow(EVENTS, on_event, on_gap=lambda: None)
    await broker.start()
    settle()
    yield Client(redis, settings, ends)
    await broker.stop()
