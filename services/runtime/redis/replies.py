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
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

LOST = (RedisConnectionError, RedisTimeoutError, OSError)
"""The exceptions of a lost connection. Whether Redis ran the command is unknown."""

_SERVER_STATES = frozenset(
    {
        *("BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM"),
        *("READONLY", "TRYAGAIN"),
    }
)
"""Codes of errors about the state of the server, not about the command or its keys."""


class DiskError(ResponseError):
    """Redis can't write its snapshot or its append-only file, and refuses commands (MISCONF)."""


FULL = (OutOfMemoryError, DiskError)
"""The exceptions of a store that is full: Redis did not run the command."""

INCOMPLETE = object()
"""Returned by a reader while the next reply has not arrived as a whole."""

_ERRORS: dict[str, Callable[[str], Exception]] = {
    "LOADING": BusyLoadingError,
    "MISCONF": DiskError,
    "NOAUTH": AuthenticationError,
    "NOPERM": NoPermissionError,
    "NOSCRIPT": NoScriptError,
    "OOM": OutOfMemoryError,
    "READONLY": ReadOnlyError,
    "WRONGPASS": AuthenticationError,
}


def is_outage(exc: Exception) -> bool:
    """Return whether the server is the reason: it is away, full or starting.

    The same command may succeed later. Any other error reply (a key of the wrong type, a missing
    permission) is about the command.
    """
    if isinstance(exc, ResponseError):
        return str(exc).partition(" ")[0] in _SERVER_STATES
    return isinstance(exc, (RedisError, OSError))


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
