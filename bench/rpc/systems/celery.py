"""Celery with Redis as broker and result backend; callers await results in threads."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from celery import Celery

from bench.rpc.load import TIMEOUT, Call

# `get` blocks, so each caller occupies a thread, and each thread has its own connections.
THREADS = 64
KEPT = 60  # seconds a result stays in Redis


def echo(text: str) -> str:
    return text


async def serve(url: str, transport: str) -> None:
    app, _ = _app(url)
    # One process, as the other workers have; the default pool has at least two.
    options = ["--pool=threads", "--concurrency=16", "--loglevel=WARNING"]
    app.worker_main(["worker", *options, "--without-gossip", "--without-mingle"])


@asynccontextmanager
async def calling(url: str, transport: str) -> AsyncIterator[Call]:
    _, task = _app(url)
    threads = ThreadPoolExecutor(THREADS)

    def in_thread(text: str) -> str:
        return str(task.delay(text).get(timeout=TIMEOUT))

    async def call(text: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(threads, in_thread, text)

    yield call
    threads.shutdown()


def _app(url: str) -> tuple[Any, Any]:
    app = Celery("bench", broker=url, backend=url)
    app.conf.update(result_expires=KEPT, worker_hijack_root_logger=False)
    return app, app.task(echo, name="echo")
