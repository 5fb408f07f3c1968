"""The Redis client of a process: made once in the composition root, and handed down."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from contracts.errors import Overloaded, ServiceError, StoreFull, Unavailable
from services.runtime.redis.endpoint import Command, Endpoint, endpoint_of
from services.runtime.redis.multiplexer import Multiplexer, QueueFull
from services.runtime.redis.replies import DiskError
from services.runtime.redis.reply_takers import OnReply
from services.runtime.redis.scripts import Script
from services.runtime.redis.subscription import OnMessage, Subscription
from services.runtime.settings import RuntimeSettings

log = structlog.get_logger(__name__)

RECONNECT_DELAY = 0.25
"""Seconds between two attempts to reach Redis."""

_FULL_FOR = 10  # seconds until a client of a full store should try again

_BULK_CONNECTIONS = 4


class RedisClient:
    """Commands over one shared connection, and dedicated connections where sharing would hurt.

    No command is ever sent twice without the caller's word: a repeated XADD or RPUSH would be a
    second request. Every method raises redis-py's exceptions: a ResponseError for a refused
    command, one of `replies.LOST` for a lost connection, QueueFull for too many open commands.
    Nothing is connected before it is used.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._shared = Multiplexer(endpoint)
        self._bulk = [Multiplexer(endpoint) for _ in range(_BULK_CONNECTIONS)]
        self._dedicated: list[Multiplexer] = []

    def send(self, *command: Any) -> asyncio.Future[Any]:
        """Queue a command; its reply, or its error, becomes the future's."""
        return self._shared.send(*command)

    def send_packed(self, data: bytes) -> asyncio.Future[Any]:
        """Queue an encoded command; its reply, or its error, becomes the future's."""
        return self._shared.send_packed(data)

    def send_soon(self, on_reply: OnReply, *command: Any, more: bool = False) -> None:
        """Queue a command and have `on_reply` called with the outcome. See the Multiplexer's."""
        self._shared.send_soon(on_reply, *command, more=more)

    async def ping(self) -> bool:
        """Return True when Redis answers: with an error, too, as a full disk makes it do."""
        try:
            return bool(await self._shared.execute("PING") == b"PONG")
        except ResponseError:
            return True

    async def execute(self, *command: Any) -> Any:
        """Return a command's reply."""
        return await self._shared.execute(*command)

    async def pipeline(self, commands: Iterable[Command]) -> list[Any]:
        """Return the replies of several commands in order, for one round trip."""
        return await self._shared.pipeline(commands)

    async def transaction(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies of several commands that run as one step, or not at all."""
        return await self._shared.transaction(commands)

    async def script(self, script: Script, keys: Sequence[str], args: Sequence[Any] = ()) -> Any:
        """Return a script's reply."""
        return await self._shared.script(script, keys, args)

    def script_soon(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[Any],
        on_reply: OnReply,
        *,
        retry: bool = False,
    ) -> None:
        """Have a script run and `on_reply` called with the outcome. See the Multiplexer's."""
        self._shared.script_soon(script, keys, args, on_reply, retry=retry)

    def subscribe(
        self,
        *channels: str,
        on_message: OnMessage,
        pattern: str | None = None,
        ping_interval: float | None = None,
    ) -> Subscription:
        """Make a subscription with a connection of its own; `listen` begins it."""
        return Subscription(
            self.endpoint,
            *channels,
            on_message=on_message,
            pattern=pattern,
            ping_interval=ping_interval,
        )

    def dedicated(self) -> Multiplexer:
        """Make a connection for commands that the shared one should not hold up, or wait for.

        It connects at its first command, and `close` of the client closes it.
        """
        connection = Multiplexer(self.endpoint)
        self._dedicated.append(connection)
        return connection

    @property
    def bulk(self) -> Multiplexer:
        """The least busy of the connections for large values, which would hold up small ones."""
        return min(self._bulk, key=lambda connection: connection.open_bytes)

    async def drain(self) -> None:
        """Return once no command on the shared connection is open; after 5 seconds anyway."""
        await self._shared.drain()

    async def close(self) -> None:
        """Close every connection. Open commands fail."""
        for connection in (*self._dedicated, *self._bulk, self._shared):
            await connection.close()
        self._dedicated.clear()


def make_redis(settings: RuntimeSettings) -> RedisClient:
    """Make the client of a process. Raises ValueError for a URL that can't be read."""
    return RedisClient(endpoint_of(settings.redis_url))


def store_error(exc: Exception) -> ServiceError:
    """Return the failure that an exception of Redis's client is for the caller of a service."""
    match exc:
        case QueueFull():
            return Overloaded("Too many commands wait for Redis.", retry_after=1)
        case OutOfMemoryError():
            return StoreFull("Redis's memory is full.", retry_after=_FULL_FOR)
        case DiskError():
            return StoreFull("Redis can't write to its disk.", retry_after=_FULL_FOR)
        case ReadOnlyError():
            return Unavailable("This Redis is a replica, which only reads.", retry_after=2)
    return Unavailable("Redis does not answer; try again soon.", retry_after=2)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Raise the failure that `store_error` returns in place of every RedisError and OSError."""
    try:
        yield
    except (RedisError, OSError) as exc:
        raise store_error(exc) from exc
