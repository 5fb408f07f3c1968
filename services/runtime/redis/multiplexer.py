"""Commands of many tasks over one connection, without one waiting for another's answer.

Measured in bench/rpc: most of a small command's cost in redis-py is taking a connection out of the
pool and putting it back, and next to that a pipeline's task and timers.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from hiredis import PushNotification, pack_command
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.runtime.redis.client import LOST
from services.runtime.redis.connection import Connection
from services.runtime.redis.scripts import Script
from services.runtime.tasks import end

Then = Callable[[asyncio.Future[Any]], None]
"""Is told what became of a command; must not raise."""

_LEAST = 8
_MOST = 500


def packed(*command: Any) -> bytes:
    """A command as it travels. Raises TypeError or UnicodeEncodeError for what can't."""
    return bytes(pack_command(command))


class Multiplexer:
    """Sends commands in flights and hands out the answers in the order they come in.

    What is asked for while a flight is under way leaves with the next one, so a lone command leaves
    at once and a crowd shares the way. A command is sent twice by none but who says so: those that
    wait when the connection is lost fail, and the next one makes a new connection.
    """

    def __init__(self, redis: Redis) -> None:
        self._link = Connection(redis, tell=self._hand_out, lose=self._fail)
        # With the moment at which each was asked for: those under way, then the unsent.
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._unsent: list[bytes] = []
        self._under_way = 0
        self._connecting: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None

    def post(self, *command: Any) -> asyncio.Future[Any]:
        """Have `command` sent; what becomes of it is the future's.

        Raises TypeError or UnicodeEncodeError for what can't be sent, which is nobody else's error.
        """
        return self.post_packed(packed(*command))

    def post_packed(self, command: bytes) -> asyncio.Future[Any]:
        """As `post`, for what `packed` gave."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((answer, loop.time()))
        self._unsent.append(command)
        if not self._link.connected:
            if self._connecting is None:
                self._connecting = asyncio.create_task(self._connect(), name="wire")
        elif not self._under_way:
            self._send()
        return answer

    async def execute(self, *command: Any) -> Any:
        """The answer to `command`. Raises its ResponseError, or what a lost connection raises."""
        return await self.post(*command)

    def start(
        self,
        script: Script,
        keys: list[str],
        args: list[Any],
        then: Then,
        *,
        again: bool = False,
    ) -> None:
        """Have a script run, and with `again` once more if it was lost with its connection; `then`
        is told what became of it.

        Nobody is woken for that: a task that is costs a small call a tenth of its time.
        """

        def settle(answer: asyncio.Future[Any]) -> None:
            exc = answer.exception()
            if isinstance(exc, NoScriptError):
                self.post(*script.in_full(keys, args)).add_done_callback(then)
            elif again and isinstance(exc, LOST):
                self.start(script, keys, args, then)
            else:
                then(answer)

        self.post(*script.call(keys, args)).add_done_callback(settle)

    async def run(self, script: Script, keys: list[str], args: list[Any]) -> Any:
        """The answer of a script. Raises as `execute`."""
        try:
            return await self.execute(*script.call(keys, args))
        except NoScriptError:
            return await self.execute(*script.in_full(keys, args))

    async def drain(self, *, seconds: float = 5.0) -> None:
        """Return once all that was asked for, and again for a lost connection, is answered or lost;
        after `seconds` anyway."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while (left := deadline - loop.time()) > 0:
            await asyncio.wait([self.post("PING")], timeout=left)
            if not self._waiting:
                return

    async def close(self) -> None:
        """Hang up. Whoever still waits is told, and not by what would have them ask again."""
        await end(self._connecting)
        self._fail(RedisError("Stopped before it was answered."))
        await self._link.close()

    async def _connect(self) -> None:
        try:
            await self._link.connect()
        except Exception as exc:
            # Whatever it is, it is everybody's: each of them was promised an answer.
            self._fail(exc)
        else:
            self._send()
            self._watch_over()
        finally:
            self._connecting = None

    def _send(self) -> None:
        # Half of what waits, so that Redis and whoever it wakes work on that while the rest is made
        # ready: 1.4 times the calls at 16 to 64 callers.
        number = min(len(self._unsent), max(_LEAST, len(self._unsent) // 2), _MOST)
        self._under_way = number
        self._link.write(b"".join(self._unsent[:number]))
        del self._unsent[:number]

    def _hand_out(self, answer: Any) -> None:
        if isinstance(answer, PushNotification) or not self._under_way:
            return
        waiting, _ = self._waiting.popleft()
        if waiting.done():
            pass
        elif isinstance(answer, Exception):
            waiting.set_exception(answer)
            if isinstance(answer, ReadOnlyError):
                # What was the primary is none any more; a new connection may find the one that is.
                asyncio.get_running_loop().call_soon(self._link.give_up, answer)
        else:
            waiting.set_result(answer)
        self._under_way -= 1
        if not self._under_way and self._unsent:
            self._send()

    def _watch_over(self) -> None:
        """Give the connection up once the oldest command has waited too long."""
        limit = self._link.limit
        if limit is None:
            return
        loop = asyncio.get_running_loop()
        oldest = self._waiting[0][1] if self._waiting else loop.time()
        if oldest + limit <= loop.time():
            self._link.give_up(RedisTimeoutError(f"Redis has not answered within {limit:g} s."))
        else:
            self._watch = loop.call_at(oldest + limit, self._watch_over)

    def _fail(self, reason: Exception) -> None:
        if self._watch is not None:
            self._watch.cancel()
        waiting, self._waiting = self._waiting, deque()
        self._unsent.clear()
        self._under_way = 0
        for answer, _ in waiting:
            if not answer.done():
                answer.set_exception(reason)
                # Whoever asked may have been cancelled in this same moment and never look.
                answer.exception()
