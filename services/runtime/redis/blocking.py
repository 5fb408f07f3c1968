"""A connection for a process without an event loop: a pool process.

redis-py's pool, retries and bookkeeping take longer over a small command than Redis itself.
"""

import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from hiredis import ProtocolError, PushNotification, pack_command
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.runtime.redis.endpoint import Command, Endpoint
from services.runtime.redis.replies import INCOMPLETE, login_error, new_reader

_READ_SIZE = 1 << 18  # bytes


class BlockingConnection:
    """A connection that one thread keeps. Use it for commands that may run twice, and only those.

    When the connection turns out to have been lost, the commands are sent once more over a new one.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._socket: socket.socket | None = None
        self._reader: Any = None  # of that socket: the rest of a push may wait in it

    def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies in order, for one round trip.

        Raises the first error reply, or redis-py's ConnectionError or TimeoutError.
        """
        request = b"".join(map(pack_command, commands))
        try:
            replies = self._exchange(request, len(commands))
        except RedisConnectionError:
            replies = self._exchange(request, len(commands))
        for reply in replies:
            if isinstance(reply, ReadOnlyError):
                # The server became a replica; a new connection may find the new primary.
                self.close()
            if isinstance(reply, Exception):
                raise reply
        return replies

    def transaction(self, commands: Iterable[Command]) -> list[Any]:
        """Return the replies of commands that run as one step, or not at all.

        Raises as `pipeline`.
        """
        replies: list[Any] = self.pipeline([("MULTI",), *commands, ("EXEC",)])[-1]
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    def close(self) -> None:
        """Close the connection; the next command opens a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, request: bytes, number: int) -> list[Any]:
        try:
            connected = self._socket
            if connected is None:
                connected = self._socket = self._connect()
            connected.sendall(request)
            return _replies(connected, self._reader, number)
        except BaseException as exc:
            # Replies may be on their way that nobody will read.
            self.close()
            # A timeout of the kernel's, for a connection that is no more, has an errno.
            if isinstance(exc, TimeoutError) and exc.errno is None:
                raise RedisTimeoutError(
                    f"Redis at {self._endpoint} did not reply in time."
                ) from exc
            if isinstance(exc, OSError | ProtocolError):
                reason = f"The connection to Redis at {self._endpoint} was lost: {exc}."
                raise RedisConnectionError(reason) from exc
            raise

    def _connect(self) -> socket.socket:
        endpoint = self._endpoint
        self._reader = new_reader()
        if endpoint.path is not None:
            connected = socket.socket(socket.AF_UNIX)
        else:
            connected = _connect(endpoint)
        try:
            connected.settimeout(endpoint.connect_timeout)
            if endpoint.path is not None:
                connected.connect(endpoint.path)
            else:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if endpoint.tls is not None:
                context = endpoint.tls.context()
                connected = context.wrap_socket(connected, server_hostname=endpoint.host)
            connected.settimeout(endpoint.reply_timeout)
            commands = endpoint.handshake()
            connected.sendall(b"".join(map(pack_command, commands)))
            for reply in _replies(connected, self._reader, len(commands)):
                if isinstance(reply, Exception):
                    raise login_error(reply) from None
        except BaseException:
            connected.close()
            raise
        return connected


def _connect(endpoint: Endpoint) -> socket.socket:
    """Connect to the first address that answers. Raises the OSError of the last one."""
    *others, last = endpoint.addresses or (endpoint.host,)
    for address in others:
        with suppress(OSError):
            return socket.create_connection(
                (address, endpoint.port), timeout=endpoint.connect_timeout
            )
    return socket.create_connection((last, endpoint.port), timeout=endpoint.connect_timeout)


def _replies(connected: socket.socket, reader: Any, number: int) -> list[Any]:
    replies: list[Any] = []
    while len(replies) < number:
        reply = reader.gets()
        if isinstance(reply, PushNotification):
            continue
        if reply is not INCOMPLETE:
            replies.append(reply)
        elif data := connected.recv(_READ_SIZE):
            reader.feed(data)
        else:
            raise ConnectionError("Redis closed the connection")
    return replies
