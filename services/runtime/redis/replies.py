"""Read RESP 3 replies with hiredis, errors as redis-py's exceptions."""

from collections.abc import Callable

from hiredis import Reader
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

LOST = (RedisConnectionError, RedisTimeoutError, OSError)
"""The exceptions of a lost connection. Whether Redis ran the command is unknown."""

INCOMPLETE = object()
"""Returned by a reader while the next reply has not arrived as a whole."""

_ERRORS: dict[str, Callable[[str], Exception]] = {
    "LOADING": BusyLoadingError,
    "NOAUTH": AuthenticationError,
    "NOPERM": NoPermissionError,
    "NOSCRIPT": NoScriptError,
    "OOM": OutOfMemoryError,
    "READONLY": ReadOnlyError,
    "WRONGPASS": AuthenticationError,
}


def new_reader() -> Reader:
    """Make a parser for one connection."""
    return Reader(replyError=error_of, notEnoughData=INCOMPLETE)


def login_error(reply: Exception) -> RedisConnectionError:
    """Turn the error reply of a handshake into the exception to raise, without the password.

    A server that does not know HELLO repeats its arguments, the password among them.
    """
    if isinstance(reply, RedisConnectionError):
        return reply
    if str(reply).startswith("ERR unknown command"):
        return RedisConnectionError("Redis 7 or later, or Valkey, is needed: it must speak RESP 3.")
    return RedisConnectionError(str(reply))


def error_of(text: str) -> Exception:
    """Turn an error reply into the exception of its code; the message keeps the whole text."""
    code, _, _ = text.partition(" ")
    return _ERRORS.get(code, ResponseError)(text)
