"""A connection that a pool process keeps, and commands with as little around them as there can be.

redis-py's pool, retries and records take longer over a small command than Redis itself.
"""

from typing import Any

from hiredis import Reader, pack_command
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError

_PIECE = 1 << 18  # bytes read at once
_MORE = object()  # what hiredis gives when an answer is not there as a whole yet


class Held(Redis):
    """redis-py's client for one thread, whose every command may be done twice.

    A connection that was lost while nobody used it is made anew, and what was asked is asked again.
    """

    _connection: Any = None

    def execute_command(self, *command: Any, **_: Any) -> Any:
        """The answer as it comes."""
        return self.ask([command])[0]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Commands that are done together."""
        return _Together(self)

    def ask(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """The answers in order. Raises the first that is an error, and what a lost one raises."""
        packed = b"".join(map(pack_command, commands))
        try:
            answers = self._exchange(packed, len(commands))
        except RedisConnectionError:
            answers = self._exchange(packed, len(commands))
        for answer in answers:
            if isinstance(answer, ReadOnlyError):
                # What was the primary is none any more; a new connection may find the one that is.
                self._connection.disconnect()
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _exchange(self, packed: bytes, number: int) -> list[Any]:
        if self._connection is None:
            self._connection = self.connection_pool.make_connection()
        self._connection.connect()
        try:
            return _exchanged(self._connection, packed, number)
        except BaseException as exc:
            # Answers may be under way that nobody will take.
            self._connection.disconnect()
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


class _Together(Pipeline):
    def __init__(self, held: Held) -> None:
        super().__init__(held.connection_pool, {}, transaction=True, shard_hint=None)
        self._held = held

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands = [command for command, _ in self.command_stack]
        answers: list[Any] = self._held.ask([("MULTI",), *commands, ("EXEC",)])[-1]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers
