"""One reply inbox for a whole process.

A call takes a reply channel of its own under the inbox's one subscription. Replies are matched by
that channel and not by correlation id, because a handler may set another correlation id.
"""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from itertools import count
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from contracts.errors import Unavailable
from services.runtime.redis.client import RECONNECT_DELAY
from services.runtime.redis.subscription import Subscription
from services.runtime.tasks import end

log = structlog.get_logger(__name__)


class ReplyInbox:
    """Waits for the replies to every outstanding call of this process, over one connection."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._prefix = f"darkroom.replies.{uuid4().hex}."
        self._numbers = count()
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._listening = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    @property
    def outstanding(self) -> int:
        """How many calls wait for their reply."""
        return len(self._waiting)

    @property
    def listening(self) -> bool:
        """Whether a reply would be heard now."""
        return self._listening.is_set()

    async def start(self) -> None:
        """Subscribe; returns once replies are heard."""
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="reply-inbox")
            self._listener.add_done_callback(self._on_listener_done)
        await self._listening.wait()

    async def stop(self) -> None:
        """Unsubscribe. Calls that still wait fail at once."""
        await end(self._listener)
        self._listener = None

    @contextmanager
    def expect(self) -> Iterator[tuple[str, asyncio.Future[bytes]]]:
        """A reply channel and the future of what arrives there; forgotten at the end.

        Raises Unavailable when no reply could be heard.
        """
        if not self.listening:
            raise Unavailable("The connection to Redis is being restored.", retry_after=1)
        channel = f"{self._prefix}{next(self._numbers):x}"
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[channel] = reply
        try:
            yield channel, reply
        finally:
            del self._waiting[channel]
            # Whatever still becomes of it is nobody's.
            reply.cancel()

    async def _listen(self) -> None:
        ear = Subscription(self._redis, pattern=self._prefix + "*", heard=self._deliver)
        async with aclosing(ear):
            await self._listen_with(ear)

    async def _listen_with(self, ear: Subscription) -> None:
        lost = False
        while True:
            try:
                await ear.listen()
                self._listening.set()
                await ear.end()
            except (RedisError, OSError) as exc:
                if self.listening or not lost:
                    log.warning("reply inbox lost its connection", reason=str(exc))
                lost = True
            finally:
                self._lose_connection()
            await asyncio.sleep(RECONNECT_DELAY)

    def _deliver(self, channel: str, data: bytes) -> None:
        reply = self._waiting.get(channel)
        # The first reply counts; a second one, or one that comes late, is dropped.
        if reply is not None and not reply.done():
            reply.set_result(data)

    def _lose_connection(self) -> None:
        self._listening.clear()
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(Unavailable("The connection to Redis was lost.", retry_after=1))
                # Its caller may have been cancelled in this same moment and never look.
                reply.exception()

    def _on_listener_done(self, listener: asyncio.Task[None]) -> None:
        if not listener.cancelled() and (exc := listener.exception()) is not None:
            log.error("reply inbox died", exc_info=exc)
