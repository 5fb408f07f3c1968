"""One function per method: fetch, run, store, answer; the table of routes at the foot."""

from functools import partial

from faststream.redis import RedisMessage, RedisResponse

from contracts.imaging import INSPECT, RENDER, Inspect, Render
from contracts.message import Message
from services.imaging.pool import tasks
from services.imaging.pool.executor import Done, Executor
from services.imaging.settings import ImagingSettings
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.deadlines import remaining


async def render(
    request: Render, message: RedisMessage, *, executor: Executor, settings: ImagingSettings
) -> RedisResponse:
    """Take an image through a pipeline."""
    rendered, done = await executor.run(
        tasks.render,
        request.model_dump_json(),
        settings,
        settings.rendition_ttl,
        timeout=_time_left(settings),
    )
    return _answer(rendered, done, message)


async def inspect(
    request: Inspect, message: RedisMessage, *, executor: Executor, settings: ImagingSettings
) -> RedisResponse:
    """Say what an image is."""
    inspected, done = await executor.run(
        tasks.inspect, request, settings, timeout=_time_left(settings)
    )
    return _answer(inspected, done, message)


def _time_left(settings: ImagingSettings) -> float:
    left = remaining()
    return settings.render_timeout if left is None else min(left, settings.render_timeout)


def _answer(reply: Message, done: Done, message: RedisMessage) -> RedisResponse:
    return RedisResponse(
        reply,
        headers={"x-queue-ms": f"{done.queue_ms:.2f}", "x-work-ms": f"{done.work_ms:.2f}"},
        correlation_id=message.correlation_id,
    )


ROUTES = ((RENDER, render), (INSPECT, inspect))


def register(broker: Broker, executor: Executor, settings: ImagingSettings) -> None:
    """Answer every method on `broker`."""
    for method, handler in ROUTES:
        broker.serve(method, partial(handler, executor=executor, settings=settings))
