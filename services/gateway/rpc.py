"""Calls to the imaging service: `broker.request` over a channel, a list or a stream."""

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import structlog
from pydantic import ValidationError

from contracts.errors import Internal, Overloaded
from contracts.imaging import INSPECT, RENDER, Inspect, Inspected, Render, Rendered
from contracts.message import Message
from contracts.methods import Method, Transport
from services.gateway.middleware.correlation import correlation_id
from services.runtime.messaging.destination import Search
from services.runtime.rpc.attachments import ATTACH_UP_TO, split
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.sender import NotSent

log = structlog.get_logger(__name__)

_ATTACHED = 64 << 10
"""Bytes of the largest result that comes with its reply: as many as a connection buffers."""

_MAX_ATTACHED = 100
"""Calls that may wait for such replies: 8 MiB unread for a minute end a subscription to Redis."""

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)


@dataclass(frozen=True)
class Reply(Generic[ReplyT]):
    """A worker's reply, with the parts of its headers that clients see."""

    body: ReplyT
    attached: bytes  # the bytes of a small result; empty if they are to be read from the store
    worker: str  # the name of the worker
    queue_ms: float  # milliseconds that the request waited for a worker
    collapsed: bool = False  # whether an equal request was rendered, and this one waited for it


class ImagingClient:
    """Calls the imaging service's methods.

    Each call waits `timeout` seconds at most. It raises Overloaded when `max_calls` calls wait
    already, NoWorkers, DeadlineExceeded, Unavailable, the ServiceError that the worker raised, and
    Internal for a reply that can't be read.
    """

    def __init__(self, broker: Broker, *, max_calls: int) -> None:
        self._broker = broker
        self._max_calls = max_calls

    async def render(
        self, request: Render, *, timeout: float, transport: Transport = Transport.STREAM
    ) -> Reply[Rendered]:
        """Render an image; the reply names the blob that holds the result."""
        return _checked(await self._call(RENDER, request, transport, timeout, self._attach()))

    async def find_or_render(
        self, search: Search, request: bytes, *, timeout: float
    ) -> Reply[Rendered]:
        """Render an image, unless `search` finds the result.

        `request` is the message that the script of the search sends. Raises NotSent if no worker
        was asked.
        """
        headers = {"content-type": "application/json", **self._attach()}
        reply = await self._call(RENDER, request, Transport.STREAM, timeout, headers, search)
        return _checked(reply)

    async def inspect(self, request: Inspect, *, timeout: float) -> Reply[Inspected]:
        """Describe an image: its format and size, and with `Depth.PIXELS` its details."""
        return await self._call(INSPECT, request, Transport.STREAM, timeout, {})

    def _attach(self) -> dict[str, str]:
        # Redis holds every reply that this process has not read yet.
        takes = self._broker.inbox.outstanding < _MAX_ATTACHED
        return {ATTACH_UP_TO: str(_ATTACHED)} if takes else {}

    async def _call(
        self,
        method: Method[RequestT, ReplyT],
        request: RequestT | bytes,
        transport: Transport,
        timeout: float,
        headers: dict[str, str],
        search: Search | None = None,
    ) -> Reply[ReplyT]:
        waiting = self._broker.inbox.outstanding
        if waiting >= self._max_calls:
            if search is not None:
                raise NotSent
            wait = self._broker.inbox.retry_after
            raise Overloaded("Too many requests wait for an answer.", retry_after=wait)
        destination: dict[str, Any] = {transport.value: method.address(transport)}
        message = await self._broker.request(
            request,
            **destination,
            timeout=timeout,
            correlation_id=correlation_id() or None,
            headers=headers,
            search=search,
        )
        body, attached = split(message.body, message.headers)
        worker = message.headers.get("x-worker", "")
        return Reply(
            _read(method.reply, body, worker),
            attached,
            worker=worker,
            queue_ms=float(message.headers.get("x-queue-ms", 0)),
            collapsed=message.headers.get("x-collapsed") == "true",
        )


def _checked(reply: Reply[Rendered]) -> Reply[Rendered]:
    """Return a reply without attached bytes that are not all of the result."""
    whole = len(reply.attached) == reply.body.blob.bytes
    return reply if whole else replace(reply, attached=b"")


def _read(model: type[ReplyT], body: bytes, worker: str) -> ReplyT:
    """Return the reply of a worker. Raises Internal for one that can't be read."""
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        log.error("reply can't be read", worker=worker, wrong_fields=exc.error_count())
        error = Internal("The worker answered with something that can't be read here.")
        error.worker = worker
        raise error from None
