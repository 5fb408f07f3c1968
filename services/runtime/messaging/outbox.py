"""Publishing out of band: the caller goes on, and learns of the delivery only on request.

Like a Kafka producer with delivery callbacks: a bounded number of messages without an answer,
failures counted and logged at a limited rate, and a flush at the stop. Messages gather for a moment
and leave over a connection of their own, so that they never delay a reply: docs/decisions/0017.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from itertools import count
from typing import Any

import structlog

from contracts.errors import Overloaded
from contracts.message import Message
from contracts.methods import Transport
from services.runtime.messaging.destination import Destination
from services.runtime.messaging.envelope import json_of, new_correlation_id, pack_json
from services.runtime.redis.client import RedisClient

log = structlog.get_logger(__name__)

OnDelivery = Callable[[Exception | None], None]
"""Callback that gets None for a delivered message, or the exception that lost it."""

_GATHER_SECONDS = 0.01  # a lone small write would wake Redis and this process for each message
_RECORDS_GATHER = 0.25  # seconds, for streams: nobody waits for a record
_LOG_INTERVAL = 10.0  # seconds between two lines about failures


class Outbox:
    """Publishes messages in the background, at most `capacity` of them unanswered."""

    def __init__(self, redis: RedisClient, *, capacity: int = 10_000) -> None:
        self._connection = redis.dedicated()
        self._capacity = capacity
        # All messages have the same headers; the body is the end of an envelope.
        self._head = pack_json(b"", new_correlation_id())
        self._gathered: list[tuple[bytes, OnDelivery | None]] = []
        self._flush_timer: asyncio.TimerHandle | None = None
        self._numbers = count()
        self._unanswered: dict[int, OnDelivery | None] = {}
        self._all_answered = asyncio.Event()
        self._closed = False
        self._logged_at = -_LOG_INTERVAL
        self.failures = 0
        """Number of messages that were not delivered since the process began."""

    def publish_soon(
        self,
        message: Message,
        *,
        stream: str | None = None,
        channel: str | None = None,
        maxlen: int | None = None,
        on_delivery: OnDelivery | None = None,
    ) -> None:
        """Publish `message` to a stream, which is trimmed to about `maxlen`, or to a channel.

        Returns at once and never raises. Calls `on_delivery` with the outcome: Overloaded for a
        full or closed outbox, or whatever sending raised.
        """
        if self._closed or len(self._gathered) + len(self._unanswered) >= self._capacity:
            self._on_failure(Overloaded("The outbox is full, or closed."), on_delivery)
            return
        try:
            data = self._head + json_of(message)
            command = _destination(stream, channel, maxlen).packed(data)
        except Exception as exc:
            self._on_failure(exc, on_delivery)
            return
        self._gathered.append((command, on_delivery))
        loop = asyncio.get_running_loop()
        due = loop.time() + (_GATHER_SECONDS if stream is None else _RECORDS_GATHER)
        if self._flush_timer is None or self._flush_timer.when() > due:
            if self._flush_timer is not None:
                self._flush_timer.cancel()
            self._flush_timer = loop.call_at(due, self._flush)

    async def start(self) -> None:
        """Accept messages, again after a stop."""
        self._closed = False

    async def stop(self, timeout: float = 5.0) -> None:
        """Accept no more messages and wait for the answers, at most `timeout` seconds.

        A message without an answer by then has failed.
        """
        self._closed = True
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush()
        if self._unanswered:
            self._all_answered.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_answered.wait(), timeout)
        for number in list(self._unanswered):
            self._on_answer(number, TimeoutError("stopped before Redis answered"))

    def _flush(self) -> None:
        """Send the messages that have gathered."""
        self._flush_timer = None
        gathered, self._gathered = self._gathered, []
        for command, on_delivery in gathered:
            number = next(self._numbers)
            self._unanswered[number] = on_delivery
            try:
                self._connection.send_packed_soon(partial(self._on_answer, number), command)
            except Exception as exc:
                self._on_answer(number, exc)

    def _on_answer(self, number: int, answer: Any) -> None:
        if number not in self._unanswered:
            # It came after the stop.
            return
        on_delivery = self._unanswered.pop(number)
        if isinstance(answer, Exception):
            self._on_failure(answer, on_delivery)
        else:
            _call(on_delivery, None)
        if not self._unanswered:
            self._all_answered.set()

    def _on_failure(self, exc: Exception, on_delivery: OnDelivery | None) -> None:
        self.failures += 1
        if time.monotonic() - self._logged_at >= _LOG_INTERVAL:
            self._logged_at = time.monotonic()
            log.warning("not delivered", messages=self.failures, reason=str(exc))
        _call(on_delivery, exc)


@lru_cache(maxsize=1024)
def _destination(stream: str | None, channel: str | None, maxlen: int | None) -> Destination:
    if channel is not None:
        return Destination(Transport.CHANNEL, channel)
    if stream is not None:
        return Destination(Transport.STREAM, stream, maxlen)
    raise ValueError("neither a stream nor a channel was given")


def _call(on_delivery: OnDelivery | None, outcome: Exception | None) -> None:
    if on_delivery is None:
        return
    try:
        on_delivery(outcome)
    except Exception as exc:
        # A callback's own bug must not keep the outbox from its other messages.
        log.error("delivery callback failed", exc_info=exc)
