"""Commands of many tasks over one connection, none of which waits for another's reply.

Measured in bench/rpc: most of a small command's cost in redis-py is taking a connection out of the
pool and putting it back, and next to that a pipeline's task and timers.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.runtime.redis.connection import Connection, connect, packed
from services.runtime.redis.endpoint import Command, Endpoint
from services.runtime.redis.reply_takers import OnReply, Taker, all_of, give
from services.runtime.redis.script_run import ScriptRun
from services.runtime.redis.scripts import Script
from services.runtime.tasks import end

MAX_COMMANDS = 50_000
"""Commands that may be open at once, sent and unsent."""

MAX_BYTES = 512 << 20
"""Bytes of all open commands; a single command may be larger when no other is open."""

_LEAST, _MOST = 8, 500  # commands of a batch


class QueueFull(RedisError):
    """The queue of open commands is full; the refused command was not sent."""


class Multiplexer:
    """Sends commands in batches, and gives each its reply in the order of sending.

    Commands that arrive while a batch is unanswered leave with the next one: a lone command leaves
    at once, others of the same turn of the event loop at its end, and many share the system calls.
    When the connection is lost every open command fails, because nobody knows which of them Redis
    has run; the next command opens a new connection.
    """

    def __init__(
        self, endpoint: Endpoint, *, max_commands: int = MAX_COMMANDS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._endpoint = endpoint
        self._max_commands = max_commands
        self._max_bytes = max_bytes
        self._connection: Connection | None = None
        # Those sent, in order, then the unsent: what takes the reply, and the command's size.
        self._open: deque[tuple[Taker, int]] = deque()
        self._all_answered = asyncio.Event()
        self._open_bytes = 0
        # Each item holds one command, or several that are sent together, and their number.
        self._unsent: list[tuple[bytes, int]] = []
        self._unanswered = 0  # of the batch that was sent
        self._sent_at = 0.0
        self._unsent_bytes = 0  # of that batch, when the watchdog last looked
        self._connecting: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._closed = False
        self.connections = 0
        """How many connections there have been: a later one may be to another server."""

    @property
    def open_bytes(self) -> int:
        """The size of the commands that have no reply yet."""
        return self._open_bytes

    def send(self, *command: Any) -> asyncio.Future[Any]:
        """Queue a command; its reply, or its error, becomes the future's.

        Raises TypeError or UnicodeEncodeError for arguments that can't be encoded, and QueueFull.
        """
        return self.send_packed(packed(*command))

    def send_packed(self, data: bytes) -> asyncio.Future[Any]:
        """Queue an encoded command, as `send` does. Raises QueueFull."""
        self._admit(1, len(data))
        reply = self._append_future(len(data))
        self._unsent.append((data, 1))
        self._start_sending()
        return reply

    def send_soon(self, on_reply: OnReply, *command: Any, more: bool = False) -> None:
        """Queue a command, and have `on_reply` called with its reply or its exception.

        With `more` it leaves with the next command of this turn of the event loop, or after it.
        Costs less than `send`: no future is made, and no turn of the event loop passes between the
        reply and the call. QueueFull comes by `on_reply`, too. Raises TypeError or
        UnicodeEncodeError for arguments that can't be encoded.
        """
        self.send_packed_soon(on_reply, packed(*command), more=more)

    def send_packed_soon(self, on_reply: OnReply, data: bytes, *, more: bool = False) -> None:
        """Queue an encoded command, as `send_soon` does."""
        size = len(data)
        try:
            self._admit(1, size)
        except RedisError as exc:
            on_reply(exc)
            return
        self._open.append((on_reply, size))
        self._open_bytes += size
        self._unsent.append((data, 1))
        self._start_sending(more=more)

    async def execute(self, *command: Any) -> Any:
        """Return the reply. Raises its ResponseError, QueueFull, or one of `LOST`."""
        return await self.send(*command)

    async def pipeline(self, commands: Iterable[Command]) -> list[Any]:
        """Return the replies of several commands in order, for one round trip.

        Others' commands may run between them. Raises the first error, after all have run.
        """
        block = [packed(*command) for command in commands]
        return await all_of(self._send_together(block)) if block else []

    async def transaction(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies of several commands that run as one step, or not at all."""
        block = [packed(*command) for command in (("MULTI",), *commands, ("EXEC",))]
        replies: list[Any] = (await all_of(self._send_together(block)))[-1]
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def script(self, script: Script, keys: Sequence[str], args: Sequence[Any] = ()) -> Any:
        """Return a script's reply. Raises as `execute`."""
        try:
            return await self.execute(*script.call(keys, args))
        except NoScriptError:
            return await self.execute(*script.in_full(keys, args))

    def script_soon(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[Any],
        on_reply: OnReply,
        *,
        retry: bool = False,
    ) -> None:
        """Have a script run, and `on_reply` called with the outcome.

        With `retry` the script runs once more when its connection is lost, so it may run twice.
        No task waits for the reply: waking one costs a small call a tenth of its time.
        """
        ScriptRun(self.send_soon, script, keys, args, on_reply, retry).start()

    async def drain(self, *, seconds: float = 5.0) -> None:
        """Return once no command is open, repeated ones included; after `seconds` anyway."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                # Let the tasks run that were given a reply: some send a command again.
                await asyncio.sleep(0)
                while self._open:
                    self._all_answered.clear()
                    await self._all_answered.wait()
                    await asyncio.sleep(0)

    async def close(self) -> None:
        """Close for good. Open and later commands fail, with an error that is not one of `LOST`."""
        self._closed = True
        await self.disconnect()

    async def disconnect(self) -> None:
        """Close the connection. Open commands fail as by `close`; the next opens a new one."""
        await end(self._connecting)
        # A task that is cancelled before its first step never runs its `finally`.
        self._connecting = None
        reason = RedisError("Closed before the reply came.")
        if self._connection is not None:
            self._connection.abort(reason)
        else:
            self._fail(reason)

    def _send_together(self, commands: list[bytes]) -> list[asyncio.Future[Any]]:
        """Queue all commands, to be sent in one batch, or none."""
        self._admit(len(commands), sum(map(len, commands)))
        replies = [self._append_future(len(command)) for command in commands]
        self._unsent.append((b"".join(commands), len(commands)))
        self._start_sending()
        return replies

    def _admit(self, number: int, size: int) -> None:
        if self._closed:
            raise RedisError("The client is closed.")
        if self._open and (
            len(self._open) + number > self._max_commands
            or self._open_bytes + size > self._max_bytes
        ):
            raise QueueFull(f"{len(self._open)} commands wait for Redis already.")

    def _append_future(self, size: int) -> asyncio.Future[Any]:
        connection = self._connection
        loop = asyncio.get_running_loop() if connection is None else connection.loop
        reply: asyncio.Future[Any] = loop.create_future()
        self._open.append((reply, size))
        self._open_bytes += size
        return reply

    def _start_sending(self, *, more: bool = False, others: bool = False) -> None:
        if not self._unsent:
            return
        if self._connection is None:
            if self._connecting is None:
                self._connecting = asyncio.create_task(self._connect(), name="redis-connect")
        elif more:
            asyncio.get_running_loop().call_soon(self._start_sending)
        elif others or not self._unanswered:
            self._send_batch(self._connection)
            if not others:  # Those of this turn need not wait for the reply to the first.
                asyncio.get_running_loop().call_soon(lambda: self._start_sending(others=True))

    async def _connect(self) -> None:
        try:
            connection = await connect(
                self._endpoint,
                on_reply=self._take_reply,
                on_push=lambda push: None,  # these are for subscriptions
                on_disconnect=self._fail,
            )
        except Exception as exc:
            # Before the commands fail: some are sent once more then, by another connection.
            self._connecting = None
            # A bug, too, must reach the open commands: their callers wait for an answer.
            self._fail(exc)
        else:
            self._connection = connection
            self.connections += 1
            self._send_batch(connection)
            self._watch()
        finally:
            self._connecting = None

    def _send_batch(self, connection: Connection) -> None:
        # Half of what is queued, so that Redis and its clients work on it while the rest is made
        # ready: 1.4 times the calls at 16 to 64 callers.
        number = min(len(self._unsent), max(_LEAST, len(self._unsent) // 2), _MOST)
        batch = self._unsent[:number]
        del self._unsent[:number]
        self._unanswered += sum(count for _, count in batch)
        self._sent_at = asyncio.get_running_loop().time()
        connection.write(b"".join(data for data, _ in batch))
        self._unsent_bytes = connection.unsent_bytes

    def _take_reply(self, reply: Any) -> None:
        if not self._unanswered:
            return
        taker, size = self._open.popleft()
        self._open_bytes -= size
        self._unanswered -= 1
        if isinstance(reply, ReadOnlyError) and self._connection is not None:
            # The server became a replica; a new connection may find the new primary.
            reason = RedisConnectionError(f"The server became a replica: {reply}")
            asyncio.get_running_loop().call_soon(self._connection.abort, reason)
        give(reply, taker)
        if self._unanswered:
            return
        if self._unsent and self._connection is not None:
            self._send_batch(self._connection)
        elif not self._open:
            self._all_answered.set()

    def _watch(self) -> None:
        """Give the connection up when it has been silent too long after a batch was sent.

        The time counts from sending, and anew while bytes arrive or leave: neither a long queue nor
        a large value on a slow network is a reason to end a connection that works.
        """
        connection, limit = self._connection, self._endpoint.reply_timeout
        if connection is None:
            return
        loop = asyncio.get_running_loop()
        waiting_since = max(self._sent_at, connection.heard_at) if self._unanswered else loop.time()
        if connection.unsent_bytes < self._unsent_bytes:
            waiting_since = loop.time()
        self._unsent_bytes = connection.unsent_bytes
        if waiting_since + limit <= loop.time():
            connection.abort(RedisTimeoutError(f"Redis has been silent for {limit:g} s."))
        else:
            self._watchdog = loop.call_at(waiting_since + limit, self._watch)

    def _fail(self, reason: Exception) -> None:
        self._connection = None
        if self._watchdog is not None:
            self._watchdog.cancel()
        failed, self._open = self._open, deque()
        self._open_bytes = self._unanswered = 0
        self._unsent.clear()
        for taker, _ in failed:
            give(reason, taker)
        if not self._open:
            self._all_answered.set()
