"""Celery with Redis for its broker and its results, acknowledged late; its client has threads."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from celery import Celery  # type: ignore[import-not-found]
from redis import Redis

from bench.jobs import workload
from bench.jobs.systems.interface import IMAGE, KEPT, RESULT

SUBMITTERS = 4  # threads; 16 were no faster
WAITERS = 64  # threads, as `get` blocks

URL = os.environ["REDIS_URL"]

# It connects when it is first used, which is after the worker has forked.
redis: Any = Redis.from_url(URL)
app: Any = Celery("bench", broker=URL, backend=URL)
app.conf.update(
    result_expires=KEPT,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
)


@app.task(name="render")  # type: ignore[untyped-decorator]
def render(image: str) -> str:
    data = redis.get(IMAGE + image)
    redis.set(RESULT + image, workload.render(data), ex=KEPT)
    return image


class Client:
    watchers = 1

    def __init__(self) -> None:
        self._submitters = ThreadPoolExecutor(SUBMITTERS)
        self._waiters = ThreadPoolExecutor(WAITERS)

    async def store(self, data: bytes) -> str:
        return str(await self._waiting(_store, data))

    async def submit(self, image: str) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._submitters, _submit, image)

    async def ended(self, job: str) -> None:
        await self._waiting(_get, job)

    async def result(self, job: str) -> bytes:
        return bytes(await self._waiting(redis.get, RESULT + await self._waiting(_get, job)))

    async def _waiting(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._waiters, work, *args)


def _store(data: bytes) -> str:
    name = hashlib.sha256(data).hexdigest()
    redis.set(IMAGE + name, data, ex=KEPT)
    return name


def _submit(image: str) -> str:
    return str(render.delay(image).id)


def _get(job: str) -> str:
    # A thread has a backend of its own, which hears of results that it asked for itself.
    return str(app.AsyncResult(job).get())


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Client]:
    yield Client()
