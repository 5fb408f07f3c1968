"""One connection to Redis, from its handshake to its end.

redis-py creates a task and two timers for each reply, which cost a small command more time than
Redis takes to answer it. Here each reply goes to a callback.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from hiredis import ProtocolError, PushNotification, pack_command
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.runtime.redis.endpoint import Endpoint
from services.runtime.redis.replies import INCOMPLETE, login_error, new_reader

OnReply = Callable[[Any], None]
"""Called with each reply in order; an error reply is an exception. Must not raise."""

OnPush = Callable[[list[Any]], None]
"""Called with each push message (RESP 3), such as what a channel says. Must not raise."""

OnDisconnect = Callable[[Exception], None]
"""Called once with the reason when the connection has ended. Must not raise."""


def packed(*command: Any) -> bytes:
    """Encode a command for Redis. Raises TypeError or UnicodeEncodeError for what can't be."""
    return bytes(pack_command(command))


def packed_start(*arguments: Any) -> bytes:
    """Encode a command without its last argument, which `packed_with` adds. Raises as `packed`."""
    return packed(*arguments, b"").removesuffix(b"$0\r\n\r\n")


def packed_with(start: bytes, last: bytes) -> bytes:
    """Encode the command that begins with `start`, made by `packed_start`, and ends with `last`."""
    return b"%b$%d\r\n%b\r\n" % (start, len(last), last)


class Connection(asyncio.Protocol):
    """A connection: `connect` makes one, and it is never opened again after its end."""

    def __init__(self, *, on_reply: OnReply, on_push: OnPush, on_disconnect: OnDisconnect) -> None:
        self._on_reply = on_reply
        self._on_push = on_push
        self._on_disconnect = on_disconnect
        self._transport: Any = None
        self._reader: Any = new_reader()
        self.loop = asyncio.get_running_loop()
        self._clock = self.loop.time
        self.open = True
        """True while bytes that are written now would be sent."""
        self.heard_at = self._clock()
        """The event loop's time at which the last bytes arrived."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and have the kernel notice a peer that has vanished."""
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != getattr(socket, "AF_UNIX", None):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    @property
    def unsent_bytes(self) -> int:
        """Number of written bytes that the kernel has not taken yet."""
        return int(self._transport.get_write_buffer_size())

    def write(self, data: bytes) -> None:
        """Send packed commands at once: each call is a system call.

        Nothing is sent once the peer has closed: `on_disconnect` is about to be called.
        """
        if not self._transport.is_closing():
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Hand out each reply that has arrived as a whole."""
        if not self.open:
            return
        self.heard_at = self._clock()
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not INCOMPLETE:
                if isinstance(reply, PushNotification):
                    self._on_push(reply)
                else:
                    self._on_reply(reply)
                if not self.open:
                    return
        except ProtocolError as exc:
            self.abort(RedisConnectionError(f"Redis sent something that is not RESP 3: {exc}."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end, unless `abort` did."""
        self.abort(RedisConnectionError(f"The connection to Redis was lost: {exc or 'closed'}."))

    def abort(self, reason: Exception) -> None:
        """Close at once, and report `reason`; nothing happens to a connection that has ended."""
        if self.open:
            self.open = False
            if self._transport is not None:
                self._transport.abort()
            self._on_disconnect(reason)

    def replace_callbacks(self, on_reply: OnReply, on_disconnect: OnDisconnect) -> None:
        """Hand the connection over, once its handshake is done."""
        self._on_reply = on_reply
        self._on_disconnect = on_disconnect


async def connect(
    endpoint: Endpoint, *, on_reply: OnReply, on_push: OnPush, on_disconnect: OnDisconnect
) -> Connection:
    """Open a connection, log in and choose the database.

    Raises redis-py's ConnectionError (AuthenticationError for a refused login) or TimeoutError;
    `on_disconnect` is only called for a connection that this has returned.
    """
    loop = asyncio.get_running_loop()
    commands = endpoint.handshake()
    replies: list[Any] = []
    done: asyncio.Future[None] = loop.create_future()

    def take_reply(reply: Any) -> None:
        replies.append(reply)
        if len(replies) == len(commands) and not done.done():
            done.set_result(None)

    def fail(reason: Exception) -> None:
        if not done.done():
            done.set_exception(reason)

    connection: Connection | None = None
    try:
        async with asyncio.timeout(endpoint.connect_timeout):
            connection = Connection(on_reply=take_reply, on_push=on_push, on_disconnect=fail)
            await _open(endpoint, connection)
            connection.write(b"".join(packed(*command) for command in commands))
            await done
        for reply in replies:
            if isinstance(reply, Exception):
                raise login_error(reply)
        if not connection.open:
            raise RedisConnectionError(f"Redis at {endpoint} closed the connection at once.")
    except BaseException as exc:
        if connection is not None:
            connection.abort(RedisConnectionError("The handshake failed."))
        # Nobody else looks at it.
        if done.done() and not done.cancelled():
            done.exception()
        if isinstance(exc, TimeoutError):
            seconds = endpoint.connect_timeout
            raise RedisTimeoutError(f"No connection to {endpoint} within {seconds:g} s.") from exc
        if isinstance(exc, OSError):
            raise RedisConnectionError(f"Can't connect to {endpoint}: {exc}.") from exc
        raise
    connection.replace_callbacks(on_reply, on_disconnect)
    return connection


async def _open(endpoint: Endpoint, connection: Connection) -> None:
    loop = asyncio.get_running_loop()
    tls = endpoint.tls.context() if endpoint.tls is not None else None
    if endpoint.path is not None:
        await loop.create_unix_connection(lambda: connection, endpoint.path)
    else:
        await loop.create_connection(lambda: connection, endpoint.host, endpoint.port, ssl=tls)
