"""Commands of one moment travel together: a pipeline, instead of a connection for each.

What is asked for while one pipeline is on its way makes up the next, so a lone command leaves at
once and a crowd shares the way. Measured in bench/rpc: most of a small call's cost in redis-py is
taking a connection out of the pool and putting it back.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

from services.runtime.tasks import end
from services.runtime.wire import Wire, packed

_LEAST = 8
_MOST = 500


class Batch:
    """Sends commands for many tasks of a process; each waits for its own answer only."""

    def __init__(self, redis: Redis) -> None:
        self._wire = Wire(redis)
        self._waiting: deque[tuple[bytes, asyncio.Future[Any]]] = deque()
        self._sender: asyncio.Task[None] | None = None

    def post(self, *command: Any) -> asyncio.Future[Any]:
        """Have `command` sent in a moment; what becomes of it is the future's.

        Raises TypeError or UnicodeEncodeError for what can't be sent, which is nobody else's error.
        """
        data = packed(*command)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((data, answer))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send(), name="batch")
        return answer

    async def execute(self, *command: Any) -> Any:
        """The answer to `command`. Raises what redis-py raises for it."""
        return await self.post(*command)

    async def run(self, script: "Script", keys: list[str], args: list[Any]) -> Any:
        """The answer of a script, which is loaded where Redis doesn't know it (any more)."""
        try:
            return await self.execute(*script.call(keys, args))
        except NoScriptError:
            await self.execute("SCRIPT", "LOAD", script.text)
            return await self.execute(*script.call(keys, args))

    async def _send(self) -> None:
        try:
            while self._waiting:
                # Half of what waits, so that Redis and whoever it wakes work on that while the rest
                # is made ready: 1.4 times the calls at 16 to 64 callers.
                number = min(len(self._waiting), max(_LEAST, len(self._waiting) // 2), _MOST)
                some = [self._waiting.popleft() for _ in range(number)]
                await self._send_together(some)
        finally:
            self._sender = None

    async def _send_together(self, some: list[tuple[bytes, asyncio.Future[Any]]]) -> None:
        answers: list[Any]
        try:
            answers = await self._wire.ask(*(command for command, _ in some))
        except Exception as exc:
            # Whatever it is, it is everybody's: each of them was promised an answer.
            answers = [exc] * len(some)
        except BaseException:
            _refuse(some)
            raise
        for (_, waiting), answer in zip(some, answers, strict=True):
            if waiting.done():
                continue
            if isinstance(answer, Exception):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)

    async def stop(self) -> None:
        """Hang up. Whoever still waits is told."""
        await end(self._sender)
        _refuse(self._waiting)
        self._waiting.clear()
        await self._wire.close()


def _refuse(some: Iterable[tuple[bytes, asyncio.Future[Any]]]) -> None:
    for _, waiting in some:
        if not waiting.done():
            waiting.set_exception(RedisConnectionError("Stopped before it was answered."))


class Script:
    """A Lua script, known to Redis by its digest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def call(self, keys: list[str], args: list[Any]) -> tuple[Any, ...]:
        """The command that runs it."""
        return "EVALSHA", self.sha, len(keys), *keys, *args
