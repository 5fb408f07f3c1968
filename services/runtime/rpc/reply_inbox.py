"""The reply inbox of a process: one subscription for the replies to all of its calls.

Each call has a reply channel of its own, which the inbox's pattern matches. The channel identifies
the call; the correlation id does not, because a handler may set another one.
"""

import asyncio
import time
from contextlib import aclosing
from itertools import count
from uuid import uuid4

import structlog
from redis.exceptions import RedisError

from contracts.errors import Unavailable
from services.runtime.redis.client import RECONNECT_DELAY, RedisClient
from services.runtime.redis.subscription import Subscription
from services.runtime.retry_after import retry_after
from services.runtime.tasks import end

log = structlog.get_logger(__name__)


class ReplyInbox:
    """Receives the replies to all outstanding calls of this process, over one connection.

    Each reply goes to its call by the reply channel, never by the correlation id.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._prefix = f"darkroom.replies.{uuid4().hex}."
        self._numbers = count()
        self._waiting: dict[str, tuple[float, asyncio.Future[bytes]]] = {}  # since when
        self._listening = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    @property
    def outstanding(self) -> int:
        """Return the number of calls without a reply yet."""
        return len(self._waiting)

    @property
    def retry_after(self) -> int:
        """Return the seconds after which a call that is refused now should be tried again."""
        return retry_after([begun for begun, _ in self._waiting.values()])

    @property
    def listening(self) -> bool:
        """Return whether a reply sent now would be received."""
        return self._listening.is_set()

    async def start(self) -> None:
        """Subscribe, and return once replies are received. Raises the exception of a dead listener.

        Retries while Redis is away.
        """
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="reply-inbox")
            self._listener.add_done_callback(self._on_listener_done)
        listening = asyncio.create_task(self._listening.wait())
        await asyncio.wait([listening, self._listener], return_when=asyncio.FIRST_COMPLETED)
        await end(listening)
        if self._listener.done():
            self._listener.result()

    async def stop(self) -> None:
        """Unsubscribe. Outstanding calls fail with Unavailable."""
        await end(self._listener)
        self._listener = None

    def expect(self) -> tuple[str, asyncio.Future[bytes]]:
        """Return a new reply channel and the future of its reply; `forget` ends both.

        The future raises Unavailable if the connection is lost. Raises Unavailable at once if no
        reply could be received now.
        """
        if not self.listening:
            raise Unavailable("The connection to Redis is being restored.", retry_after=1)
        channel = f"{self._prefix}{next(self._numbers):x}"
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[channel] = time.monotonic(), reply
        return channel, reply

    def forget(self, channel: str) -> None:
        """Expect no reply on a channel any more."""
        _, reply = self._waiting.pop(channel)
        # Nobody reads the future from here on.
        if not reply.done():
            reply.cancel()
        elif not reply.cancelled():
            reply.exception()

    async def _listen(self) -> None:
        subscription = self._redis.subscribe(pattern=f"{self._prefix}*", on_message=self._deliver)
        async with aclosing(subscription):
            await self._listen_with(subscription)

    async def _listen_with(self, subscription: Subscription) -> None:
        lost = False
        while True:
            try:
                await subscription.listen()
                self._listening.set()
                await subscription.end()
            except (RedisError, OSError) as exc:
                if self.listening or not lost:
                    log.warning("reply inbox lost its connection", reason=str(exc))
                lost = True
            finally:
                self._fail_outstanding()
            await asyncio.sleep(RECONNECT_DELAY)

    def _deliver(self, channel: str, data: bytes) -> None:
        waiting = self._waiting.get(channel)
        # Ignore a second reply, and one that comes too late.
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(data)

    def _fail_outstanding(self) -> None:
        self._listening.clear()
        for _, reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(Unavailable("The connection to Redis was lost.", retry_after=1))
                # Mark the exception as read: the caller may have just been cancelled.
                reply.exception()

    def _on_listener_done(self, listener: asyncio.Task[None]) -> None:
        if not listener.cancelled() and (exc := listener.exception()) is not None:
            log.error("reply inbox died", exc_info=exc)
