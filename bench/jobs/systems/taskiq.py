"""taskiq over taskiq-redis: a stream, acknowledged once the result is saved."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from taskiq_redis import (
    RedisAsyncResultBackend,
    RedisStreamBroker,
)

from bench.jobs import workload
from bench.jobs.systems.interface import IMAGE, KEPT, POLL, RESULT, JobFailed
from bench.jobs.systems.redis_images import RedisImages

URL = os.environ["REDIS_URL"]
READ_COUNT = 10  # entries a read; with the default of 100 one worker would take all of them

redis: Any = Redis.from_url(URL)
# From the stream's beginning: tasks may be sent before a worker has started.
broker: Any = RedisStreamBroker(
    URL, consumer_id="0", xread_count=READ_COUNT, unacknowledged_lock_timeout=60
).with_result_backend(RedisAsyncResultBackend(URL, result_ex_time=KEPT))


async def render(image: str) -> str:
    data = await redis.get(IMAGE + image)
    rendered = await asyncio.to_thread(workload.render, data)
    await redis.set(RESULT + image, rendered, ex=KEPT)
    return image


task: Any = broker.register_task(render, task_name="render")


class Client:
    waiters = 4

    def __init__(self) -> None:
        self._images = RedisImages(redis)
        self.store = self._images.store

    async def submit(self, image: str) -> Any:
        return await task.kiq(image)

    async def ended(self, job: Any) -> None:
        result = await job.wait_result(check_interval=POLL)
        if result.is_err:
            raise JobFailed

    async def result(self, job: Any) -> bytes:
        found = await job.get_result()
        return await self._images.result(found.return_value)


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Client]:
    await broker.startup()
    yield Client()
    await broker.shutdown()
