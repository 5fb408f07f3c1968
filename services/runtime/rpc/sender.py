"""Send requests, messages and replies over the shared connection of a process."""

import asyncio
from collections import defaultdict
from functools import lru_cache, partial
from itertools import count
from typing import Any

import structlog
from redis.exceptions import RedisError, ResponseError

from contracts.control import CONTROL, Cancel
from contracts.errors import DeadlineExceeded, NoWorkers, Overloaded
from contracts.methods import Transport
from services.runtime.faststream_adapter.producer import Encode
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.destination import DATA_FIELD, Destination, Search
from services.runtime.messaging.outbox import Outbox
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, store_error
from services.runtime.redis.replies import LOST
from services.runtime.redis.scripts import Script, load_script
from services.runtime.rpc.addresses import own_channel
from services.runtime.rpc.deadlines import deadline_header, remaining
from services.runtime.rpc.reply_inbox import ReplyInbox
from services.runtime.rpc.waiting_line import WaitingLine
from services.runtime.telemetry.tracing import trace_headers

log = structlog.get_logger(__name__)

PUSH_IF_SERVED = load_script(__package__, "push_if_served")
_PUBLISH_TO_ONE = load_script(__package__, "publish_to_one")

_OWN_CHANNEL = own_channel("", "")  # what stands between an address and a worker's name

_GOLDEN_RATIO = 0.618033988749895
_DEFAULT_TIMEOUT = 30.0  # seconds


class NotSent(Exception):
    """The script of a search did not send the request: it was needless, or Redis refused."""


class MessageSender:
    """Sends a request and waits for its reply in the process's inbox; sends messages and replies.

    Implements the adapter's `Sender`, so `broker.request` needs no connection for each call.
    """

    def __init__(
        self,
        redis: RedisClient,
        inbox: ReplyInbox,
        outbox: Outbox,
        clock: Clock,
        *,
        patience: float = 0.0,
    ) -> None:
        """`patience` is the seconds that a request waits for a place in a full queue."""
        self._redis = redis
        self._inbox = inbox
        self._outbox = outbox
        self._clock = clock
        # A full queue holds up no request for another one. Addresses are those of the methods.
        self._lines = defaultdict[str, WaitingLine](partial(WaitingLine, patience))
        # Fractions from 0 to 1 that choose a worker; steps of the golden ratio spread them evenly,
        # whatever capacity each worker has.
        self._fractions = (number * _GOLDEN_RATIO % 1 for number in count())

    async def request(
        self, destination: Destination, encode: Encode, timeout: float | None
    ) -> tuple[str, bytes]:
        """Send a request; return its reply channel and the reply's envelope.

        Waits at most `timeout` seconds (30 for None), and no longer than the request that is being
        handled has left. Raises NoWorkers, Overloaded, Unavailable, DeadlineExceeded; NotSent for a
        destination with a search.
        """
        if destination.search is not None and not self._may_search(destination):
            raise NotSent
        timeout = _DEFAULT_TIMEOUT if timeout is None else timeout
        left = remaining()
        if left is not None:
            timeout = min(timeout, left)
        reply_to, reply = self._inbox.expect()
        try:
            headers = {**trace_headers(), **deadline_header(timeout, self._clock)}
            message = encode(reply_to, headers)
            if destination.search is None:
                self._send_request(destination, message, reply, timeout)
            else:
                self._search_and_send(destination, destination.search, message, reply)
            data = await self._reply_in_time(reply, timeout)
        except asyncio.CancelledError:
            # A worker stops by itself at the deadline, but it can't know that a caller has left.
            self._outbox.publish_soon(Cancel(subject=reply_to), channel=CONTROL)
            raise
        finally:
            self._inbox.forget(reply_to)
            self._lines[destination.address].advance()
        return reply_to, data

    async def _reply_in_time(self, reply: asyncio.Future[bytes], timeout: float) -> bytes:
        # Not asyncio.timeout: its one cancellation can get lost. Nor asyncio.wait, which costs a
        # call three times as much as a timer.
        timer = asyncio.get_running_loop().call_later(timeout, _end_late, reply, timeout)
        try:
            return await reply
        finally:
            timer.cancel()

    def _send_request(
        self,
        destination: Destination,
        message: bytes,
        reply: asyncio.Future[bytes],
        timeout: float,
    ) -> None:
        """Send the request. A refusal, or a lost connection, becomes the reply's exception."""
        push = _push_call(destination, message, next(self._fractions))

        def end(answer: Any) -> None:
            refusal = self._refusal(answer)
            if refusal is not None and not reply.done():
                reply.set_exception(refusal)

        line = self._lines[destination.address]
        line.send(partial(self._redis.script_soon, *push), end, reply, timeout)

    def _may_search(self, destination: Destination) -> bool:
        """Return whether replies arrive now, and no other request waits for the same queue."""
        return self._inbox.listening and not self._lines[destination.address]

    def _search_and_send(
        self,
        destination: Destination,
        search: Search,
        message: bytes,
        reply: asyncio.Future[bytes],
    ) -> None:
        """Send the request by the script of a search; NotSent becomes the reply's exception."""

        def end(answer: Any) -> None:
            try:
                failure = self._failure(search, answer)
            except Exception as exc:
                # Without an answer the caller would wait for all of its timeout.
                failure = exc
            if failure is not None and not reply.done():
                reply.set_exception(failure)

        _, *push = _push_call(destination, message, next(self._fractions))
        self._redis.script_soon(*search.script(*push), end)

    def _failure(self, search: Search, answer: Any) -> Exception | None:
        """Return the exception that ends the call of a search; None if the request was sent."""
        if isinstance(answer, ResponseError):
            return NotSent()
        if isinstance(answer, Exception):
            return self._refusal(answer)
        return None if search.take(answer) else NotSent()

    def _refusal(self, answer: Any) -> Exception | None:
        """Return the exception that ends the call, or None if the request was sent."""
        if isinstance(answer, (RedisError, OSError)):
            return store_error(answer)
        if isinstance(answer, Exception):
            return answer
        if answer < 0:
            wait = self._inbox.retry_after
            return Overloaded("More waits already than can be served.", retry_after=wait)
        if answer == 0:
            return NoWorkers("No worker is running; try again soon.", retry_after=5)
        return None

    def publish(self, destination: Destination, data: bytes) -> asyncio.Future[Any]:
        """Send a message and return the future of Redis's answer, or RedisError."""
        return self._redis.send_packed(destination.packed(data))

    def reply(self, channel: str, data: bytes, *, more: bool) -> None:
        """Send a reply, and once more if the connection was lost before Redis answered.

        With `more`, another command follows in this turn of the event loop.

        A caller takes the first of two replies, so sending twice does no harm. No task waits for
        the answer: waking a task would cost a small call a tenth of its time.
        """

        def retry_once(answer: Any) -> None:
            if isinstance(answer, LOST):
                self._redis.send_soon(_log_lost_reply, "PUBLISH", channel, data)
            else:
                _log_lost_reply(answer)

        self._redis.send_soon(retry_once, "PUBLISH", channel, data, more=more)


def _push_call(
    destination: Destination, message: bytes, fraction: float
) -> tuple[Script, tuple[str, ...], list[Any]]:
    """Return script, keys and arguments that send a request."""
    names = _push_keys(destination.address)
    if destination.transport is Transport.CHANNEL:
        return _PUBLISH_TO_ONE, names, [message, fraction, _OWN_CHANNEL]
    return PUSH_IF_SERVED, names, [destination.transport, message, DATA_FIELD]


@lru_cache(maxsize=1024)
def _push_keys(address: str) -> tuple[str, str, str]:
    return keys.responders(address), keys.capacities(address), address


def _log_lost_reply(answer: Any) -> None:
    if isinstance(answer, Exception):
        log.warning("reply lost", reason=str(answer))


def _end_late(reply: asyncio.Future[bytes], timeout: float) -> None:
    """End a call whose timeout is over."""
    if not reply.done():
        reply.set_exception(DeadlineExceeded(f"No answer within {timeout:g} s."))
