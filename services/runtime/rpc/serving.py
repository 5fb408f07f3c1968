"""Serving: the steps of a request between its arrival and its reply."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from faststream.exceptions import IgnoredException
from faststream.message import StreamMessage
from faststream.response import Response, ensure_response

from contracts.errors import Failure
from services.runtime.faststream_adapter.message import address_of, from_channel, from_stream
from services.runtime.faststream_adapter.subscriber import Handle
from services.runtime.liveness.server_clock import Clock
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

LOST = "lost"
"""The outcome of a request whose handling was cut off before its reply."""


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
    ) -> None:
        self._worker = worker
        self._calls = calls
        self._cancellations = cancellations
        self._clock = clock
        self._claims = claims
        self._send_reply = send_reply

    async def serve(self, message: StreamMessage[Any], handle: Handle) -> None:
        """Handle a message and send its reply, if it wants one. Raises Discarded for none."""
        if not message.reply_to:
            await handle(message)
            return
        started, outcome = time.perf_counter(), LOST
        discarded: Discarded | None = None
        try:
            outcome = self._reply(message, await self.respond(message, handle))
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


def outcome_of(response: Response) -> str:
    """Return "ok", or the code of the failure that a reply holds."""
    return response.body.code if isinstance(response.body, Failure) else "ok"
