"""One connection of one's own, for whoever talks to Redis all the time.

Taking a connection out of redis-py's pool for each command and putting it back costs more than a
small command itself.
"""

import asyncio
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError


def packed(*command: Any) -> bytes:
    """A command as it travels. Raises TypeError or UnicodeEncodeError for what can't."""
    return bytes(pack_command(command))


class Wire:
    """Sends commands together and reads their answers; one user at a time."""

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._connection: Any = None

    async def ask(self, *commands: bytes) -> list[Any]:
        """The answers to packed commands, in order; a refused one's is its ResponseError.

        Raises what a lost connection raises; the next call has a new one.
        """
        connection = await self._connected()
        limit, connection.socket_timeout = connection.socket_timeout, None
        try:
            # redis-py's own limit takes a timer for each answer, and a task for what is sent.
            async with asyncio.timeout(limit):
                await connection.send_packed_command(commands, check_health=False)
                return [await _answer(connection) for _ in commands]
        except TimeoutError as exc:
            await connection.disconnect(nowait=True)
            raise RedisTimeoutError(f"Redis has not answered within {limit:g} s.") from exc
        except BaseException:
            # Answers may be under way that nobody will take.
            await connection.disconnect(nowait=True)
            raise
        finally:
            connection.socket_timeout = limit

    async def one(self, *command: Any) -> Any:
        """The answer to one command. Raises its ResponseError, too."""
        (answer,) = await self.ask(packed(*command))
        if isinstance(answer, ResponseError):
            raise answer
        return answer

    async def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)

    async def _connected(self) -> Any:
        if self._connection is None:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        elif await _is_over(self._connection):
            await self._connection.disconnect(nowait=True)
            await self._connection.connect()
        return self._connection


async def _is_over(connection: Any) -> bool:
    if not connection.is_connected or connection._reader.exception() is not None:
        return True
    # What can be read before anything was asked is the end of the connection.
    return bool(await connection.can_read())


async def _answer(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as exc:
        return exc
