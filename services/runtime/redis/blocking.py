"""A connection that a pool process keeps, and commands with as little around them as there can be.

redis-py's pool, retries and records take longer over a small command than Redis itself.
"""

from typing import Any

from hiredis import Reader, pack_command
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

Command = tuple[Any, ...]
"""Its name and arguments."""

_PIECE = 1 << 18  # bytes read at once
_MORE = object()  # what hiredis gives when an answer is not there as a whole yet


class BlockingConnection:
    """A connection held for good by one thread, whose every command may be done twice.

    One that was lost while nobody used it is made anew, and what was asked is asked again.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def ask(self, commands: list[Command]) -> list[Any]:
        """The answers in order. Raises the first that is an error, and what a lost one raises."""
        packed = b"".join(map(pack_command, commands))
        try:
            answers = self._exchange(packed, len(commands))
        except RedisConnectionError:
            answers = self._exchange(packed, len(commands))
        for answer in answers:
            if isinstance(answer, ReadOnlyError):
                # What was the primary is none any more; a new connection may find the one that is.
                self.close()
            if isinstance(answer, Exception):
                raise answer
        return answers

    def ask_together(self, commands: list[Command]) -> None:
        """Have all done, or none. Raises as `ask`."""
        answers = self.ask([("MULTI",), *commands, ("EXEC",)])[-1]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer

    def close(self) -> None:
        """Hang up, until something is asked."""
        self._connection.disconnect()

    def _exchange(self, packed: bytes, number: int) -> list[Any]:
        self._connection.connect()
        try:
            return _exchanged(self._connection, packed, number)
        except BaseException as exc:
            # Answers may be under way that nobody will take.
            self.close()
            # The kernel's, of a connection that is no more, has a number.
            if isinstance(exc, TimeoutError) and exc.errno is None:
                raise RedisTimeoutError("Redis did not answer in time.") from exc
            if isinstance(exc, OSError):
                raise RedisConnectionError(f"The connection to Redis was lost: {exc}.") from exc
            raise


def _exchanged(connection: Any, packed: bytes, number: int) -> list[Any]:
    socket = connection._sock
    reader = Reader(replyError=connection._parser.parse_error, notEnoughData=_MORE)
    socket.sendall(packed)
    answers: list[Any] = []
    while len(answers) < number:
        answer = reader.gets()
        if answer is not _MORE:
            answers.append(answer)
        elif piece := socket.recv(_PIECE):
            reader.feed(piece)
        else:
            raise ConnectionError("Redis hung up")
    return answers
