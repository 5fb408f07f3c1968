"""Hears what is published, over one connection of one's own.

As redis-py's own PubSub, without a timer and a health check around each message: those cost a
small message half of the time that taking it in needs.
"""

import math
from typing import Any

from redis.asyncio import Redis

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

    async def listen(self) -> None:
        """Subscribe, unless that is so; from here on nothing is missed while Redis is there.

        Raises what a lost connection raises; the next try has a new one.
        """
        if self._connection is None:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            # redis-py would make a text of each message for a log that nobody reads.
            self._connection._parser.set_pubsub_push_handler(_as_it_is)
        elif self._connection.is_connected:
            return
        else:
            await self._connection.connect()
        await self._connection.send_command(self._join, *self._names, check_health=False)
        for _ in self._names:
            await self._connection.read_response(push_request=True)

    async def hear(self) -> tuple[str, bytes] | None:
        """The channel and the data of what is published next; None after the last one.

        Raises what a lost connection raises, and subscribes anew when it is called again.
        """
        await self.listen()
        while True:
            kind, *said = await self._connection.read_response(timeout=math.inf, push_request=True)
            if kind in _HEARD:
                return said[-2].decode(), said[-1]
            if kind in _LEFT and said[-1] == 0:
                return None

    async def leave(self) -> None:
        """Unsubscribe: what was published before is still heard, and then there is a last one."""
        if self._connection is not None and self._connection.is_connected:
            await self._connection.send_command(self._part, check_health=False)

    async def aclose(self) -> None:
        """Hang up, whether or not Redis answers."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)


async def _as_it_is(pushed: list[Any]) -> list[Any]:
    return pushed
