"""Publishing out of band: the caller goes on, and hears of the delivery only if it asks.

The pattern is that of a Kafka producer with delivery callbacks: a bounded buffer, one task that
sends what has gathered in one pipeline, failures counted and logged at a limited rate, and a flush
at the stop.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog
from faststream.redis.message import DATA_KEY
from redis.asyncio import Redis

from contracts.errors import Overloaded
from contracts.message import Message
from services.runtime.messaging.envelope import envelope
from services.runtime.redis.multiplexer import Multiplexer, packed
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

OnDelivery = Callable[[Exception | None], None]

_BATCH = 2000
_GATHERING = 0.01  # seconds: a crowd shares a pipeline, and nobody waits for any of it
_SECONDS_BETWEEN_COMPLAINTS = 10.0


@dataclass(frozen=True, eq=False)
class _Letter:
    message: Message
    stream: str | None
    channel: str | None
    maxlen: int | None
    on_delivery: OnDelivery | None

    def command(self, data: bytes) -> Sequence[Any]:
        """What publishes it."""
        if self.channel is not None:
            return "PUBLISH", self.channel, data
        trim = () if self.maxlen is None else ("MAXLEN", "~", self.maxlen)
        return "XADD", self.stream, *trim, "*", DATA_KEY, data


class Outbox:
    """What this process wants published and doesn't wait for."""

    def __init__(self, redis: Redis, *, capacity: int = 10_000) -> None:
        self._wire = Multiplexer(redis)
        self._capacity = capacity
        self._letters: deque[_Letter] = deque()
        self._filled = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._closing = False
        self._complained = -_SECONDS_BETWEEN_COMPLAINTS
        self.failures = 0
        """How many messages were not delivered, ever."""

    def publish_soon(
        self,
        message: Message,
        *,
        stream: str | None = None,
        channel: str | None = None,
        maxlen: int | None = None,
        on_delivery: OnDelivery | None = None,
    ) -> None:
        """Publish `message` in a moment, to a stream (trimmed to about `maxlen`) or a channel.

        Returns at once and never raises; `on_delivery` is told None, or what went wrong.
        """
        letter = _Letter(message, stream, channel, maxlen, on_delivery)
        if self._closing or len(self._letters) >= self._capacity:
            self._fail([letter], Overloaded("The outbox is full, or closed."))
            return
        self._letters.append(letter)
        self._filled.set()

    async def start(self) -> None:
        """Begin to send."""
        if self._sender is None:
            self._closing = False
            self._sender = asyncio.create_task(self._send_on(), name="outbox")

    async def stop(self, timeout: float = 5.0) -> None:
        """Send what is left, for `timeout` seconds at most; what can't be has failed."""
        if self._sender is None:
            return
        self._closing = True
        self._filled.set()
        await asyncio.wait([self._sender], timeout=timeout)
        await end(self._sender)
        self._sender = None
        await self._wire.close()
        left, self._letters = list(self._letters), deque()
        if left:
            self._fail(left, TimeoutError("stopped before it could be sent"))

    async def _send_on(self) -> None:
        while not self._closing or self._letters:
            await self._filled.wait()
            if not self._closing:
                await asyncio.sleep(_GATHERING)
            letters = [self._letters.popleft() for _ in range(min(_BATCH, len(self._letters)))]
            if letters:
                await self._send(letters)
            if not self._letters and not self._closing:
                self._filled.clear()

    async def _send(self, letters: list[_Letter]) -> None:
        outcomes: list[Any]
        packets = await self._packed(letters)
        try:
            sent = [self._wire.post_packed(data) for data in packets.values()]
            outcomes = await asyncio.gather(*sent, return_exceptions=True)
        except asyncio.CancelledError:
            self._fail(list(packets), TimeoutError("stopped before it was sent"))
            raise
        for letter, outcome in zip(packets, outcomes, strict=True):
            if isinstance(outcome, Exception):
                self._fail([letter], outcome)
            elif letter.on_delivery is not None:
                _tell(letter.on_delivery, None)

    async def _packed(self, letters: list[_Letter]) -> dict[_Letter, bytes]:
        """Each letter as it travels; one that can't be sent has failed, and harms no other."""
        correlation_id = uuid4().hex
        packets: dict[_Letter, bytes] = {}
        for letter in letters:
            try:
                data = await envelope(letter.message, correlation_id)
                packets[letter] = packed(*letter.command(data))
            except Exception as exc:
                self._fail([letter], exc)
        return packets

    def _fail(self, letters: list[_Letter], exc: Exception) -> None:
        self.failures += len(letters)
        if time.monotonic() - self._complained >= _SECONDS_BETWEEN_COMPLAINTS:
            self._complained = time.monotonic()
            log.warning("not delivered", messages=self.failures, reason=str(exc))
        for letter in letters:
            if letter.on_delivery is not None:
                _tell(letter.on_delivery, exc)


def _tell(on_delivery: OnDelivery, outcome: Exception | None) -> None:
    try:
        on_delivery(outcome)
    except Exception as exc:
        # A callback's own bug must not keep the others from being told.
        log.error("delivery callback failed", exc_info=exc)
