"""Hears what is published, over one connection of one's own.

As redis-py's own PubSub, without a timer and a health check around each message: those cost a
small message half of the time that taking it in needs. A pulse beside it notices a connection that
has gone silent without an end, as one does whose way was cut.
"""

import asyncio
import math
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from services.runtime.connection import LOST
from services.runtime.tasks import end

PULSE = 2.0
"""Seconds without a word until Redis is asked for one; after three times as long it is given up."""

_HEARD = (b"message", b"pmessage")
_LEFT = (b"unsubscribe", b"punsubscribe")


class Ear:
    """Listens to some channels, or to what a pattern matches; one listener at a time."""

    def __init__(self, redis: Redis, *channels: str, pattern: str | None = None) -> None:
        self._pool = redis.connection_pool
        self._names = channels if pattern is None else (pattern,)
        self._join, self._part = (
            ("SUBSCRIBE", "UNSUBSCRIBE") if pattern is None else ("PSUBSCRIBE", "PUNSUBSCRIBE")
        )
        self._connection: Any = None
        self._silent = 0
        self._pulse: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Subscribe, unless that is so; from here on nothing is missed while Redis is there.

        Raises what a lost connection raises, or the ResponseError of a Redis that refuses; the
        next try has a new connection.
        """
        if self._connection is None:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            # redis-py would make a text of each message for a log that nobody reads.
            self._connection._parser.set_pubsub_push_handler(_as_it_is)
            self._pulse = asyncio.create_task(self._feel_pulse(), name="pulse")
        elif self._connection.is_connected:
            return
        else:
            await self._connection.connect()
        try:
            await self._connection.send_command(self._join, *self._names, check_health=False)
            for _ in self._names:
                await self._connection.read_response(push_request=True)
        except BaseException:
            # Connected and not subscribed would be deaf.
            await self._connection.disconnect(nowait=True)
            raise

    async def hear(self) -> tuple[str, bytes] | None:
        """The channel and the data of what is published next; None after the last one.

        Raises what a lost connection raises, and subscribes anew when it is called again.
        """
        await self.listen()
        while True:
            said = await self._connection.read_response(timeout=math.inf, push_request=True)
            self._silent = 0
            # The answer to a pulse is no list, or is one that says pong.
            if not isinstance(said, list):
                continue
            if said[0] in _HEARD:
                return said[-2].decode(errors="replace"), said[-1]
            if said[0] in _LEFT and said[-1] == 0:
                return None

    async def leave(self) -> None:
        """Unsubscribe: what was published before is still heard, and then there is a last one."""
        if self._connection is not None and self._connection.is_connected:
            await self._connection.send_command(self._part, check_health=False)

    async def aclose(self) -> None:
        """Hang up, whether or not Redis answers."""
        await end(self._pulse)
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)

    async def _feel_pulse(self) -> None:
        while True:
            await asyncio.sleep(PULSE)
            if self._silent >= 3:
                # Whoever reads from it is told at once.
                await self._connection.disconnect(nowait=True)
                self._silent = 0
            elif self._connection.is_connected:
                self._silent += 1
                with suppress(*LOST):
                    await self._connection.send_command("PING", check_health=False)


async def _as_it_is(pushed: list[Any]) -> list[Any]:
    return pushed
