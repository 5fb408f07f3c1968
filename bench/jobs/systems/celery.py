"""Celery with Redis as broker and result backend, acknowledged late; its client uses threads."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from celery import Celery
from redis import Redis

from bench.jobs import workload
from bench.jobs.systems.interface import IMAGE, KEPT, RESULT

SUBMIT_THREADS = 4  # 16 were no faster
WAIT_THREADS = 64  # `get` blocks a thread

URL = os.environ["REDIS_URL"]

# The client connects at its first use, after the worker has forked.
redis: Any = Redis.from_url(URL)
app: Any = Celery("bench", broker=URL, backend=URL)
app.conf.update(
    result_expires=KEPT,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
)


@app.task(name="render")  # type: ignore[untyped-decorator]  # Celery has no types
def render(image: str) -> str:
    data = redis.get(IMAGE + image)
    redis.set(RESULT + image, workload.render(data), ex=KEPT)
    return image


class Client:
    waiters = 1

    def __init__(self) -> None:
        self._submitters = ThreadPoolExecutor(SUBMIT_THREADS)
        self._waiters = ThreadPoolExecutor(WAIT_THREADS)

    async def store(self, data: bytes) -> str:
        return str(await self._in_thread(_store, data))

    async def submit(self, image: str) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._submitters, _submit, image)

    async def ended(self, job: str) -> None:
        await self._in_thread(_get, job)

    async def result(self, job: str) -> bytes:
        return bytes(await self._in_thread(redis.get, RESULT + await self._in_thread(_get, job)))

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._waiters, work, *args)


def _store(data: bytes) -> str:
    name = hashlib.sha256(data).hexdigest()
    redis.set(IMAGE + name, data, ex=KEPT)
    return name


def _submit(image: str) -> str:
    return str(render.delay(image).id)


def _get(job: str) -> str:
    # Each thread has its own backend, which receives only the results that the thread requested.
    return str(app.AsyncResult(job).get())


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Client]:
    yield Client()
