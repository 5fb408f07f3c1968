"""taskiq over taskiq-redis: a stream for tasks; the caller polls for results."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from taskiq.api import run_receiver_task
from taskiq_redis import (
    RedisAsyncResultBackend,
    RedisStreamBroker,
)

from bench.rpc.load import TIMEOUT, Call

POLL = 0.005  # seconds; the default of 0.2 would allow each caller 5 calls a second
KEPT = 60  # seconds a result stays in Redis


async def echo(text: str) -> str:
    return text


async def serve(url: str, transport: str) -> None:
    broker, _ = _broker(url)
    await broker.startup()
    await run_receiver_task(broker)


@asynccontextmanager
async def calling(url: str, transport: str) -> AsyncIterator[Call]:
    broker, task = _broker(url)

    async def call(text: str) -> str:
        sent = await task.kiq(text)
        result = await sent.wait_result(check_interval=POLL, timeout=TIMEOUT)
        return str(result.return_value)

    await broker.startup()
    yield call
    await broker.shutdown()


def _broker(url: str) -> tuple[Any, Any]:
    results: Any = RedisAsyncResultBackend(url, result_ex_time=KEPT)
    broker = RedisStreamBroker(url).with_result_backend(results)
    return broker, broker.register_task(echo, task_name="echo")
