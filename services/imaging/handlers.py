"""The handlers of the imaging methods, and the table that ties them to their methods."""

from functools import partial

from faststream.redis import RedisMessage, RedisResponse

from contracts.imaging import INSPECT, RENDER, Inspect, Render
from contracts.message import Message
from services.imaging.pool.executor import CallTimes, Executor
from services.imaging.pool.messages import InspectCall, RenderCall
from services.imaging.settings import ImagingSettings
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.deadlines import remaining


async def render(
    request: Render, message: RedisMessage, *, executor: Executor, settings: ImagingSettings
) -> RedisResponse:
    """Render an image, or find its stored rendition, and answer with a `Rendered`.

    Raises as `Executor.run`; the middleware turns the exception into a reply.
    """
    call = RenderCall(requests=(request,), ttl=settings.rendition_ttl)
    rendered, times = await executor.run(call, timeout=_timeout(settings))
    return _response(rendered, times, message)


async def inspect(
    request: Inspect, message: RedisMessage, *, executor: Executor, settings: ImagingSettings
) -> RedisResponse:
    """Inspect an image, and answer with its `Inspected`."""
    inspected, times = await executor.run(InspectCall(request=request), timeout=_timeout(settings))
    return _response(inspected, times, message)


def _timeout(settings: ImagingSettings) -> float:
    """Return the seconds that are left to the caller, `render_timeout` at most."""
    left = remaining()
    return settings.render_timeout if left is None else min(left, settings.render_timeout)


def _response(reply: Message, times: CallTimes, message: RedisMessage) -> RedisResponse:
    return RedisResponse(
        reply,
        headers={"x-queue-ms": f"{times.queue_ms:.2f}", "x-work-ms": f"{times.work_ms:.2f}"},
        correlation_id=message.correlation_id,
    )


ROUTES = ((RENDER, render), (INSPECT, inspect))


def register(broker: Broker, executor: Executor, settings: ImagingSettings) -> None:
    """Register every handler of `ROUTES` at `broker`."""
    for method, handler in ROUTES:
        broker.serve(method, partial(handler, executor=executor, settings=settings))
