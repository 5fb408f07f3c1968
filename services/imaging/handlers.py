"""The handlers of the imaging methods, and their registration."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from faststream.message import StreamMessage
from faststream.redis import RedisMessage, RedisResponse

from contracts.errors import ServiceError
from contracts.imaging import INSPECT, RENDER, Inspect, Render
from contracts.message import Message
from services.imaging.peers import Peers, is_for_a_job
from services.imaging.pool.departures import Departed
from services.imaging.pool.executor import CallTimes
from services.imaging.pool.messages import Heavy
from services.imaging.rendering.claims import Offer, RenderClaims
from services.imaging.rendering.coalescing import CoalescingRenders
from services.imaging.rendering.outcomes import Finished
from services.imaging.rendering.renders import Renders
from services.imaging.settings import ImagingSettings
from services.runtime.capacity import Capacity
from services.runtime.faststream_adapter.message import deliveries_of, entry_of, fields_of
from services.runtime.messaging.envelope import json_of
from services.runtime.redis.scripts import FollowUp
from services.runtime.rpc.attachments import ATTACHED, taken_up_to
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.deadlines import remaining
from services.runtime.rpc.discarded import HandedBack
from services.runtime.rpc.serving import CarryReply, Reply

_MAX_ATTACHED = 256 << 10
"""The most bytes of a result that are attached to a reply, whatever its caller takes.

All replies of a worker leave by one connection, and wait for the ones before.
"""


async def render(
    request: Render,
    message: RedisMessage,
    *,
    renders: Renders,
    coalescing: CoalescingRenders,
    settings: ImagingSettings,
    peers: Peers,
    capacity: Capacity,
    carry: CarryReply,
) -> RedisResponse:
    """Render an image, or find its stored rendition, and answer with a `Rendered`.

    The bytes of a small result are attached for a caller that takes them.

    Equal requests at the same time are rendered once. One that waits long for a slot may go to
    another worker. Raises as `Renders.render` and `Peers`, and HandedBack; the middleware turns the
    exception into a reply.
    """
    reply: Reply | None = None

    def carried(finished: Finished, times: CallTimes) -> FollowUp | None:
        nonlocal reply
        reply = _response(finished.rendered, times, message, finished.data)
        return carry(message, reply)

    offer = offer_of(message, request, coalescing.claims)
    with offer or nullcontext():
        await peers.hand_on_if_lacking(request, message)
        if is_for_a_job(message):
            return await _render_for_job(request, message, renders, settings, capacity)
        with _handed_back():
            finished, times = await coalescing.render(
                request,
                timeout=_timeout(settings),
                lend=capacity.lent,
                depart=partial(peers.hand_back, message),
                offer=offer,
                carry=carried,
            )
    return reply or _response(
        finished.rendered, times, message, finished.data, collapsed=finished.collapsed
    )


def offer_of(message: StreamMessage[Any], request: Render, claims: RenderClaims) -> Offer | None:
    """Return the claim that the gateway's search has taken for a request; None without one."""
    fields = fields_of(message)
    if not fields or deliveries_of(message) > 1:
        return None
    return claims.offer_of(request, entry_of(message), fields)


async def _render_for_job(
    request: Render,
    message: RedisMessage,
    renders: Renders,
    settings: ImagingSettings,
    capacity: Capacity,
) -> RedisResponse:
    timeout = settings.render_timeout
    [result], times = await renders.render_later([request], timeout=timeout, on_start=_nothing)
    if isinstance(result, Heavy):
        with capacity.lent():
            rendered, times = await renders.render_heavy_later(request, timeout=timeout)
            return _response(rendered, times, message)
    if isinstance(result, ServiceError):
        raise result
    return _response(result, times, message)


def _nothing() -> None:
    """Do nothing at the start of a call."""


async def inspect(
    request: Inspect,
    message: RedisMessage,
    *,
    renders: Renders,
    settings: ImagingSettings,
    peers: Peers,
) -> RedisResponse:
    """Inspect an image, and answer with its `Inspected`. Raises as `render`."""
    await peers.hand_on_if_lacking(request, message)
    depart = partial(peers.hand_back, message)
    with _handed_back():
        inspected, times = await renders.inspect(request, timeout=_timeout(settings), depart=depart)
    return _response(inspected, times, message)


@contextmanager
def _handed_back() -> Iterator[None]:
    """End a request without a reply if its call has departed: another worker replies."""
    try:
        yield
    except Departed:
        raise HandedBack from None


def _timeout(settings: ImagingSettings) -> float:
    """Return the seconds that are left to the caller, `render_timeout` at most."""
    left = remaining()
    return settings.render_timeout if left is None else min(left, settings.render_timeout)


def _response(
    reply: Message,
    times: CallTimes,
    message: RedisMessage,
    data: bytes = b"",
    *,
    collapsed: bool = False,
) -> Reply:
    """Return a reply, with the result's bytes attached if its caller takes so many."""
    headers = {"x-queue-ms": f"{times.queue_ms:.2f}", "x-work-ms": f"{times.work_ms:.2f}"}
    if collapsed:
        headers["x-collapsed"] = "true"
    body: Message | bytes = reply
    if 0 < len(data) <= min(taken_up_to(message.headers), _MAX_ATTACHED):
        headers |= {"content-type": "application/json", ATTACHED: str(len(data))}
        body = json_of(reply) + data
    return Reply(body, headers=headers, correlation_id=message.correlation_id)


def register(broker: Broker, renders: Renders, settings: ImagingSettings, peers: Peers) -> None:
    """Register the handler of each method at `broker`."""
    coalescing = CoalescingRenders(renders, RenderClaims(broker), settings, broker.metrics)
    work = partial(render, renders=renders, coalescing=coalescing, settings=settings, peers=peers)
    broker.serve(RENDER, partial(work, capacity=broker.capacity, carry=broker.carry))
    broker.serve(INSPECT, partial(inspect, renders=renders, settings=settings, peers=peers))
