"""arq: workers poll a sorted set; a job leaves it once its result has been written."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvloop
from arq import create_pool
from arq.connections import RedisSettings

from bench.jobs import workload
from bench.jobs.systems.interface import IMAGE, KEPT, POLL, RESULT
from bench.jobs.systems.redis_images import RedisImages

SETTINGS = RedisSettings.from_dsn(os.environ["REDIS_URL"])

# arq's command line uses the current event loop policy.
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


async def render(context: Any, image: str) -> str:
    data = await context["redis"].get(IMAGE + image)
    rendered = await asyncio.to_thread(workload.render, data)
    await context["redis"].set(RESULT + image, rendered, ex=KEPT)
    return image


class WorkerSettings:
    functions = (render,)
    redis_settings = SETTINGS
    poll_delay = POLL  # the default is 0.5
    keep_result = KEPT
    log_results = False


class Client:
    waiters = 4

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._images = RedisImages(pool)
        self.store = self._images.store

    async def submit(self, image: str) -> Any:
        return await self._pool.enqueue_job("render", image)

    async def ended(self, job: Any) -> None:
        await job.result(poll_delay=POLL)

    async def result(self, job: Any) -> bytes:
        return await self._images.result(await job.result(poll_delay=POLL))


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Client]:
    pool = await create_pool(SETTINGS)
    yield Client(pool)
    await pool.aclose()
