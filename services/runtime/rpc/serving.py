"""Serving: the steps of a request between its arrival and its reply."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from faststream.exceptions import IgnoredException
from faststream.message import StreamMessage
from faststream.redis import RedisResponse
from faststream.response import Response, ensure_response

from contracts.errors import Failure
from contracts.methods import GROUP
from services.runtime.capacity import FEW, Capacity
from services.runtime.faststream_adapter.message import (
    address_of,
    entry_of,
    from_channel,
    from_stream,
)
from services.runtime.faststream_adapter.subscriber import Handle
from services.runtime.liveness.server_clock import Clock
from services.runtime.redis.endpoint import Command
from services.runtime.redis.scripts import FollowUp
from services.runtime.redis.stream_entries import removal
from services.runtime.rpc.addresses import is_own_channel, method_of
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.rpc.claims import Claims
from services.runtime.rpc.deadlines import DeadlineScope
from services.runtime.rpc.discarded import Discarded
from services.runtime.rpc.failures import OUTCOME, WORKER, failure_reply
from services.runtime.rpc.instrumentation import CallInstrumentation
from services.runtime.telemetry.tracing import continued_span

SendReply = Callable[[str, Any, Mapping[str, Any], str, bool], None]
"""Send a body with headers and a correlation id to a channel; raises if it can't be encoded.

With the last argument, another command for Redis follows in this turn of the event loop.
"""

EncodeReply = Callable[[Any, Mapping[str, Any], str], bytes]
"""Return body, headers and correlation id in an envelope; raises if they can't be encoded."""

LOST = "lost"
"""The outcome of a request whose handling was cut off before its reply."""


class Reply(RedisResponse):
    """A reply that a script may carry, as `Serving.carry` has it."""

    sent = False

    def note_sent(self) -> None:
        """Note that the reply has left, and that the entry of its request is gone."""
        self.sent = True


CarryReply = Callable[[StreamMessage[Any], Reply], FollowUp | None]
"""Return what sends a reply and removes its request; None if the reply leaves as others do."""


class Serving:
    """Deadline, cancellation, claim, failure and reply of the requests of one process.

    A request is served by `serve`. Where FastStream's middlewares stand around the handler,
    `ServingMiddleware` calls the other methods at FastStream's own stages.
    """

    def __init__(
        self,
        *,
        worker: str,
        calls: CallInstrumentation,
        cancellations: Cancellations,
        clock: Clock,
        claims: Claims,
        send_reply: SendReply,
        encode_reply: EncodeReply,
        may_carry: Callable[[], bool],
    ) -> None:
        self._worker = worker
        self._calls = calls
        self._cancellations = cancellations
        self._clock = clock
        self._claims = claims
        self._send_reply = send_reply
        self._encode_reply = encode_reply
        self._may_carry = may_carry
        self._left: set[bytes] = set()

    async def serve(self, message: StreamMessage[Any], handle: Handle) -> None:
        """Handle a message and send its reply, if it wants one. Raises Discarded for none."""
        if not message.reply_to:
            await handle(message)
            return
        started, outcome = time.perf_counter(), LOST
        discarded: Discarded | None = None
        try:
            response = await self.respond(message, handle)
            if isinstance(response, Reply) and response.sent:
                outcome = outcome_of(response)
                self._left.add(entry_of(message).encode())
            else:
                outcome = self._reply(message, response)
        except Discarded as exc:
            discarded = exc
            raise
        finally:
            self.record_end(message, started, outcome, discarded)

    async def respond(self, message: StreamMessage[Any], handle: Handle) -> Response:
        """Return the reply to a request: every exception becomes one, but for Discarded."""
        address, subject = address_of(message), message.reply_to
        try:
            with (
                continued_span(method_of(address), message.headers),
                DeadlineScope(message, self._clock),
            ):
                if from_channel(message) and not is_own_channel(address):
                    await self._claims.claim(subject)
                # After the claim: a cancellation that comes meanwhile finds no task to end.
                self._cancellations.check(subject)
                return ensure_response(await self._cancellations.run(subject, handle(message)))
        except IgnoredException:
            raise
        except Exception as exc:
            return failure_reply(exc, message.correlation_id)

    def carry(self, message: StreamMessage[Any], reply: Reply) -> FollowUp | None:
        """Return what sends a reply and removes its request; None if the reply leaves as others do.

        It is for a script that stores the result: a trip less. With many requests under way replies
        leave together anyway.
        """
        if not from_stream(message) or not message.reply_to or not self._may_carry():
            return None
        correlation_id = reply.correlation_id or message.correlation_id
        data = self._encode_reply(reply.body, self.headers_of(reply), correlation_id)
        publish: Command = ("PUBLISH", message.reply_to, data)
        commands = (publish, *removal(address_of(message), GROUP, entry_of(message)))
        return FollowUp(commands, reply.note_sent)

    def has_left(self, entry: bytes) -> bool:
        """Return whether the reply to a request has left together with its entry.

        Only the first call for an entry tells: its consumer asks as soon as the request is handled.
        """
        left = entry in self._left
        self._left.discard(entry)
        return left

    def headers_of(self, response: Response) -> dict[str, Any]:
        """Return the headers of a reply: its outcome and its worker, and those it has."""
        return {OUTCOME: "ok", WORKER: self._worker, **response.headers}

    def record_end(
        self,
        message: StreamMessage[Any],
        started: float,
        outcome: str,
        discarded: Discarded | None,
    ) -> None:
        """Record the end of a request that was taken at the moment `started`."""
        if discarded is not None:
            self._calls.discarded(discarded.reason, message.correlation_id)
        else:
            seconds = time.perf_counter() - started
            self._calls.answered(address_of(message), outcome, seconds, message.correlation_id)

    def _reply(self, message: StreamMessage[Any], response: Response) -> str:
        """Send a reply, or the failure to encode it; return the outcome."""
        try:
            self._send(message, response)
        except Exception as exc:
            response = failure_reply(exc, message.correlation_id)
            self._send(message, response)
        return outcome_of(response)

    def _send(self, message: StreamMessage[Any], response: Response) -> None:
        correlation_id = response.correlation_id or message.correlation_id
        # The acknowledgement of a stream's entry follows.
        more = from_stream(message)
        headers = self.headers_of(response)
        self._send_reply(message.reply_to, response.body, headers, correlation_id, more)


def is_quiet(capacity: Capacity) -> bool:
    """Return whether so few requests are under way that few replies could leave together."""
    return capacity.taken <= FEW


def outcome_of(response: Response) -> str:
    """Return "ok", or the code of the failure that a reply holds."""
    return response.body.code if isinstance(response.body, Failure) else "ok"
