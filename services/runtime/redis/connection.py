"""One connection to Redis whose every answer goes straight to whoever is told of it.

redis-py connects and authenticates. What it does for each answer after that, a task and two timers
among it, costs a small one more time than Redis takes for it.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from hiredis import ProtocolError, Reader
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

_MORE = object()  # what hiredis gives when an answer is not there as a whole yet


class Connection(asyncio.Protocol):
    """A connection of the pool's, held for good and made anew when it was lost.

    `tell` is called with each answer in order (a refused command's is its ResponseError), and
    `lose` once with what ended the connection; neither may raise.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        tell: Callable[[Any], None],
        lose: Callable[[Exception], None],
    ) -> None:
        self._pool = redis.connection_pool
        self._tell = tell
        self._lose = lose
        self._connection: Any = None
        self._transport: Any = None
        self._stream: Any = None
        self._reader: Any = None

    @property
    def connected(self) -> bool:
        """Whether what is written would be sent."""
        return self._reader is not None

    @property
    def limit(self) -> float | None:
        """Seconds without an answer until a connection counts as lost."""
        limit: float | None = self._connection.socket_timeout
        return limit

    async def connect(self) -> None:
        """Connect anew. Raises what redis-py raises."""
        if self._connection is None:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        else:
            await self._connection.disconnect(nowait=True)
            await self._connection.connect()
        self._transport = self._connection._writer.transport
        if self._transport.is_closing():
            raise RedisConnectionError("Redis hung up at once.")
        self._reader = Reader(replyError=self._connection._parser.parse_error, notEnoughData=_MORE)
        # redis-py waits for its own when it closes.
        self._stream = self._transport.get_protocol()
        self._transport.set_protocol(self)

    def write(self, data: bytes) -> None:
        """Send packed commands; uvloop sends together what is written in one turn of the loop."""
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Tell of each answer that is whole now."""
        reader = self._reader
        if reader is None:
            return
        reader.feed(data)
        try:
            while (answer := reader.gets()) is not _MORE:
                self._tell(answer)
        except ProtocolError as exc:
            self.give_up(RedisConnectionError(f"What Redis says can't be read: {exc}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell of the end, unless that was told when it was given up."""
        self._stream.connection_lost(exc)
        self.give_up(RedisConnectionError(f"The connection to Redis was lost: {exc or 'closed'}."))

    def give_up(self, reason: Exception) -> None:
        """Hang up at once, and tell of it."""
        if self._reader is not None:
            self._reader = None
            self._transport.abort()
            self._lose(reason)

    async def close(self) -> None:
        """Hang up, whether or not Redis answers, and give the place in the pool back."""
        self.give_up(RedisConnectionError("Stopped before it was answered."))
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)
