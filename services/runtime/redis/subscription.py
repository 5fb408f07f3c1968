"""Messages published to channels, over a connection of their own.

PINGs notice a connection that is dead without having been closed, as after a cut cable.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from services.runtime.redis.connection import Connection, connect, packed
from services.runtime.redis.endpoint import Endpoint
from services.runtime.redis.replies import DiskError
from services.runtime.tasks import end

PING_INTERVAL = 2.0
"""Seconds between two PINGs, unless a subscription wants more of them.

A connection that stays silent for three of these intervals is lost.
"""

_MESSAGES = (b"message", b"pmessage")
_SUBSCRIBED = (b"subscribe", b"psubscribe")
_UNSUBSCRIBED = (b"unsubscribe", b"punsubscribe")

OnMessage = Callable[[str, bytes], None]
"""Called with the channel and the data of each message. Must not raise."""


class Subscription:
    """A subscription to some channels, or to all that a pattern matches."""

    def __init__(
        self,
        endpoint: Endpoint,
        *channels: str,
        on_message: OnMessage,
        pattern: str | None = None,
        ping_interval: float | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._names = channels if pattern is None else (pattern,)
        self._subscribe, self._unsubscribe = (
            ("SUBSCRIBE", "UNSUBSCRIBE") if pattern is None else ("PSUBSCRIBE", "PUNSUBSCRIBE")
        )
        self._on_message = on_message
        self._connection: Connection | None = None
        self._silent_pings = 0
        self._ping_interval = ping_interval or PING_INTERVAL
        self._pinged: deque[float] = deque()  # when each PING without an answer was sent
        self.confirmed = -math.inf
        """The loop's time until which every message has arrived that was published.

        Redis answers a PING after the messages before it. Minus infinity without a connection.
        """
        self._pings: asyncio.Task[None] | None = None
        self._unconfirmed = 0
        self._subscribed: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def open(self) -> bool:
        """True while there is a connection on which messages can arrive."""
        return self._connection is not None and self._connection.open

    async def listen(self) -> None:
        """Subscribe, unless subscribed already; no message is missed from here to `end`.

        Raises one of `replies.LOST`, or the ResponseError of a Redis that refuses; the next call
        opens a new connection. One task at a time may call this.
        """
        if self._ended is not None and not self._ended.done():
            return
        loop = asyncio.get_running_loop()
        subscribed, ended = loop.create_future(), loop.create_future()
        self._unconfirmed = len(self._names)
        if self._connection is not None:
            self._connection.abort(RedisConnectionError("Subscribed anew."))
        self._connection = await connect(
            self._endpoint,
            on_reply=self._take_reply,
            on_push=self._take_push,
            on_disconnect=self._lose,
        )
        self._subscribed, self._ended = subscribed, ended
        if self._closed:
            self._connection.abort(RedisConnectionError("The subscription was closed."))
            raise RedisConnectionError("The subscription was closed.")
        if self._pings is None:
            self._pings = asyncio.create_task(self._ping(), name="redis-subscription-pings")
        self._connection.write(packed(self._subscribe, *self._names))
        asked = loop.time()
        try:
            await subscribed
            self.confirmed = asked
        except BaseException as exc:
            # Connected and not subscribed, it would miss every message.
            self._connection.abort(RedisConnectionError(f"Could not subscribe: {exc!r}."))
            raise

    async def end(self) -> None:
        """Return after the last message, once `unsubscribe` was called.

        Raises one of `replies.LOST` when the connection is lost before.
        """
        assert self._ended is not None
        # Shielded: a cancelled caller must not cancel the future that others wait for.
        await asyncio.shield(self._ended)

    def unsubscribe(self) -> None:
        """Unsubscribe: messages published before still arrive, and then `end` returns."""
        if self._connection is not None and self.open:
            self._connection.write(packed(self._unsubscribe))

    async def aclose(self) -> None:
        """Close for good, whether or not Redis answers."""
        self._closed = True
        await end(self._pings)
        self._pings = None
        if self._connection is not None:
            self._connection.abort(RedisConnectionError("The subscription was closed."))

    def _take_reply(self, reply: Any) -> None:
        self._silent_pings = 0
        if self._pinged:
            self.confirmed = self._pinged.popleft()
        # A Redis whose disk is full refuses a PING, and still delivers messages.
        refused = isinstance(reply, Exception) and not isinstance(reply, DiskError)
        if refused and self._connection is not None:
            self._connection.abort(reply)

    def _take_push(self, push: list[Any]) -> None:
        self._silent_pings = 0
        kind = push[0]
        if kind in _MESSAGES:
            self._on_message(push[-2].decode(errors="replace"), push[-1])
        elif kind in _SUBSCRIBED:
            self._unconfirmed -= 1
            if not self._unconfirmed:
                _settle(self._subscribed)
        elif kind in _UNSUBSCRIBED and push[-1] == 0:
            _settle(self._ended)

    def _lose(self, reason: Exception) -> None:
        self.confirmed = -math.inf
        self._pinged.clear()
        _settle(self._subscribed, reason)
        _settle(self._ended, reason)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._ping_interval)
            connection = self._connection
            if connection is None or not connection.open:
                self._silent_pings = 0
            elif self._silent_pings * self._ping_interval >= (silence := 3 * PING_INTERVAL):
                reason = f"Redis has been silent for {silence:g} s."
                connection.abort(RedisConnectionError(reason))
            else:
                self._silent_pings += 1
                self._pinged.append(asyncio.get_running_loop().time())
                connection.write(packed("PING"))


def _settle(future: asyncio.Future[None] | None, reason: Exception | None = None) -> None:
    if future is None or future.done():
        return
    if reason is None:
        future.set_result(None)
    else:
        future.set_exception(reason)
        # Maybe nobody looks.
        future.exception()
