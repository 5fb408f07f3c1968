"""arq: its worker polls a sorted set for jobs, its caller polls for results."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from arq import Worker, create_pool
from arq.connections import RedisSettings

from bench.rpc.load import TIMEOUT, Call

POLL = 0.005  # seconds; the default is 0.5, for the worker and for the caller
KEPT = 60  # seconds a result stays in Redis
JOBS = 100  # concurrently; with the default of 10, polling allows 2,000 a second at most


async def echo(_: Any, text: str) -> str:
    return text


async def serve(url: str, transport: str) -> None:
    worker = Worker(
        [echo],
        redis_settings=RedisSettings.from_dsn(url),
        handle_signals=False,
        max_jobs=JOBS,
        poll_delay=POLL,
        keep_result=KEPT,
    )
    await worker.async_run()


@asynccontextmanager
async def calling(url: str, transport: str) -> AsyncIterator[Call]:
    pool = await create_pool(RedisSettings.from_dsn(url))

    async def call(text: str) -> str:
        job: Any = await pool.enqueue_job("echo", text)
        return str(await job.result(timeout=TIMEOUT, poll_delay=POLL))

    yield call
    await pool.aclose()
