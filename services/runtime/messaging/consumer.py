"""Consumers: read messages from Redis, handle many at once, reconnect within a second.

FastStream's own subscribers sleep five seconds after a lost connection, and lose the messages they
hold at a graceful stop when they handle several at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

import structlog
from redis.exceptions import RedisError

from contracts.errors import InvalidRequest
from contracts.methods import Transport
from services.runtime.capacity import Capacity
from services.runtime.messaging.unreadable import Damaged
from services.runtime.redis.client import RECONNECT_DELAY
from services.runtime.redis.replies import is_outage
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

POLL = 0.5
"""Seconds that a read blocks at most, and so the time that a stop waits for it."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as Redis gave it: the envelope, or a stream entry's fields and its id."""

    address: str
    data: bytes | dict[bytes, bytes]
    entry: bytes | None = None
    deliveries: int = 1
    """Number of times that Redis has given the entry to a worker, with this time."""


Deliver = Callable[[Received], Awaitable[None]]
"""Handle a message. An exception means that the message was not handled."""


class Consumer:
    """Reads from one address until it is stopped, and handles each message in its own task.

    A subclass reads in `_read`, which returns after `POLL` seconds at the latest, and calls
    `_accept` for each message. `capacity` limits how many messages are handled at once; consumers
    may share one.
    """

    transport: ClassVar[Transport]

    def __init__(self, address: str, capacity: Capacity, *, graceful_timeout: float) -> None:
        self.address = address
        self._capacity = capacity
        self._graceful_timeout = graceful_timeout
        self._deliver: Deliver | None = None
        self._reading = False
        self._reader: asyncio.Task[None] | None = None
        self._handling: set[asyncio.Task[bool]] = set()

    @property
    def running(self) -> bool:
        """Return whether the reader's task runs; it does so, and retries, while Redis is away."""
        return self._reading and self._reader is not None and not self._reader.done()

    async def start(self, deliver: Deliver) -> None:
        """Read from now on and hand each message to `deliver`."""
        self._deliver = deliver
        self._reading = True
        self._reader = asyncio.create_task(self._read_loop(), name=f"consumer {self.address}")

    async def stop(self) -> None:
        """Read nothing more and finish the messages that were read.

        A message that is not finished within the graceful timeout is cancelled.
        """
        self._end_reading()
        if self._reader is not None:
            # A read that is cancelled may have taken a message out of Redis already.
            await asyncio.wait([self._reader], timeout=2 * POLL)
            self._reading = False
            # Before the connection is closed, which the reader may be using.
            await end(self._reader)
        await self._close_connection()
        if self._handling:
            _, late = await asyncio.wait(self._handling, timeout=self._graceful_timeout)
            await asyncio.gather(*(end(task) for task in late))

    async def _close_connection(self) -> None:
        """Close what messages arrive on, once the last read is over."""

    def _end_reading(self) -> None:
        """Let the read that is under way be the last."""
        self._reading = False

    async def _read(self) -> None:
        """Read once, and accept what was read. Raises RedisError or OSError."""
        raise NotImplementedError

    async def _read_loop(self) -> None:
        lost = False
        while self._reading:
            try:
                await self._read()
                # Start the tasks of the messages that were read before the next read.
                await asyncio.sleep(0)
            except (RedisError, OSError) as exc:
                if not lost:
                    log.warning("consumer lost redis", reason=str(exc), address=self.address)
                lost = True
                await asyncio.sleep(RECONNECT_DELAY)
            except Exception as exc:
                log.error("consumer failed", exc_info=exc, address=self.address)
                await asyncio.sleep(RECONNECT_DELAY)
            else:
                if lost:
                    log.info("consumer reconnected", address=self.address)
                lost = False

    async def _wait_for_capacity(self) -> bool:
        """Wait until a message fits; return whether this consumer still reads by then."""
        await self._capacity.wait()
        return self._reading

    def _accept(self, received: Received) -> None:
        """Handle a message in a task of its own."""
        task = asyncio.create_task(self._handle(received))
        self._capacity.take()
        self._handling.add(task)
        task.add_done_callback(self._on_handled)

    async def _handle(self, received: Received) -> bool:
        """Return whether the message is finished: handled, or refused for good."""
        assert self._deliver is not None
        try:
            await self._deliver(received)
        except Exception as exc:
            return await self._on_failure(received, exc)
        return True

    async def _on_failure(self, received: Received, exc: Exception) -> bool:
        """Log why a message was not handled; no caller waits for a reply that could report it.

        Return whether the message is finished.
        """
        if isinstance(exc, (InvalidRequest, Damaged)):
            # Unreadable, and just as unreadable the next time.
            log.error("message refused", reason=exc.detail, address=self.address)
            return True
        if is_outage(exc):
            log.warning("message interrupted", reason=str(exc), address=self.address)
        else:
            log.error("message failed", exc_info=exc, address=self.address)
        return False

    def _on_handled(self, task: asyncio.Task[bool]) -> None:
        self._handling.discard(task)
        self._capacity.give_back()
