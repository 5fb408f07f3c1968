"""Hears what is published, over one connection of its own.

A pulse beside it notices a connection that has gone silent without an end, as one does whose way
was cut.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from services.runtime.redis.connection import Connection
from services.runtime.redis.multiplexer import packed
from services.runtime.tasks import end

PULSE = 2.0
"""Seconds without a word until Redis is asked for one; after three times as long it is given up."""

_HEARD = (b"message", b"pmessage")
_JOINED = (b"subscribe", b"psubscribe")
_LEFT = (b"unsubscribe", b"punsubscribe")

Heard = Callable[[str, bytes], None]
"""Is told the channel and the data of what is published; must not raise."""


class Subscription:
    """Listens to some channels, or to what a pattern matches."""

    def __init__(
        self, redis: Redis, *channels: str, heard: Heard, pattern: str | None = None
    ) -> None:
        self._link = Connection(redis, tell=self._take_in, lose=self._lose)
        self._names = channels if pattern is None else (pattern,)
        self._join, self._part = (
            ("SUBSCRIBE", "UNSUBSCRIBE") if pattern is None else ("PSUBSCRIBE", "PUNSUBSCRIBE")
        )
        self._heard = heard
        self._silent = 0
        self._pulse: asyncio.Task[None] | None = None
        self._missing = 0
        self._listening: asyncio.Future[None] | None = None
        self._end: asyncio.Future[None] | None = None

    async def listen(self) -> None:
        """Subscribe, unless that is so; from here on nothing is missed while Redis is there.

        Raises what a lost connection raises, or the ResponseError of a Redis that refuses; the
        next try has a new connection.
        """
        if self._end is not None and not self._end.done():
            return
        await self._link.connect()
        loop = asyncio.get_running_loop()
        self._missing = len(self._names)
        self._listening, self._end = loop.create_future(), loop.create_future()
        if self._pulse is None:
            self._pulse = asyncio.create_task(self._feel_pulse(), name="pulse")
        self._link.write(packed(self._join, *self._names))
        try:
            await self._listening
        except BaseException as exc:
            # Connected and not subscribed would be deaf.
            self._link.give_up(RedisConnectionError(f"Could not subscribe: {exc!r}."))
            raise

    async def end(self) -> None:
        """Return after the last message, once `leave` was called. Raises what a lost connection
        raises."""
        assert self._end is not None
        # Shielded, for it is this ear's and not of whoever waits for it.
        await asyncio.shield(self._end)

    def leave(self) -> None:
        """Unsubscribe: what was published before is still heard, and then there is a last one."""
        if self._link.connected:
            self._link.write(packed(self._part))

    async def aclose(self) -> None:
        """Hang up, whether or not Redis answers."""
        await end(self._pulse)
        await self._link.close()

    def _take_in(self, said: Any) -> None:
        self._silent = 0
        if isinstance(said, ResponseError):
            self._link.give_up(said)
        # The answer to a pulse is no list, or is one that says pong.
        elif not isinstance(said, list):
            return
        elif said[0] in _HEARD:
            self._heard(said[-2].decode(errors="replace"), said[-1])
        elif said[0] in _JOINED:
            self._missing -= 1
            if not self._missing:
                _settle(self._listening)
        elif said[0] in _LEFT and said[-1] == 0:
            _settle(self._end)

    def _lose(self, reason: Exception) -> None:
        _settle(self._listening, reason)
        _settle(self._end, reason)

    async def _feel_pulse(self) -> None:
        while True:
            await asyncio.sleep(PULSE)
            if not self._link.connected:
                self._silent = 0
            elif self._silent >= 3:
                # Whoever waits for its end is told at once.
                self._link.give_up(RedisConnectionError("Redis has fallen silent."))
            else:
                self._silent += 1
                self._link.write(packed("PING"))


def _settle(future: asyncio.Future[None] | None, reason: Exception | None = None) -> None:
    if future is None or future.done():
        return
    if reason is None:
        future.set_result(None)
    else:
        future.set_exception(reason)
        # Maybe nobody looks.
        future.exception()
