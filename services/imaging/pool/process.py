"""A pool process as its service sees it: started, called, and killed.

The two talk over a pair of Unix sockets, as `messages` describes. The process gets open files and
an environment of a few named variables: that of the service has passwords in it.
"""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self, cast

from pydantic import ValidationError

from contracts.message import Message
from services.imaging.pool.child_settings import ChildSettings
from services.imaging.pool.messages import (
    ANSWER_HEADER,
    CALL_HEADER,
    MAX_ANSWER,
    Answer,
    Call,
    Content,
    OutcomeT,
    Ready,
    Setup,
)

_PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "LD_PRELOAD")
"""The environment variables that a pool process inherits, if they are set."""

_START_TIMEOUT = 60.0  # seconds until a new process has rendered every format once


class ProcessDied(Exception):
    """The process ended, or answered with something that is no answer, and was killed."""


@dataclass(frozen=True)
class Program:
    """The module that a pool process runs, and variables that are added to its environment."""

    module: str = "services.imaging.pool.child"
    env: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the process."""
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        own = {
            # The packages need not be installed: `faststream run` finds them in its folder.
            "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {**passed_on, **own, **self.env}


@dataclass(frozen=True)
class _Frame:
    """An answer as it came."""

    text: bytes
    attached: memoryview


class PoolProcess(asyncio.Protocol):
    """One process, which does one call at a time."""

    def __init__(self, descriptors: socket.socket, longest: int) -> None:
        """`descriptors` is a second object for the connection's socket: transports send bytes
        alone. `longest` is the most bytes that may follow an answer.
        """
        self.missing: tuple[str, ...] = ()
        """The names of the protections that the process does not have."""
        self.calls = 0
        self.resident = 0
        """MiB of memory that the process held after its last call."""
        self.on_end: Callable[[], None] | None = None
        """Called when the process has ended or closed its connection."""
        self._process: Process | None = None
        self._transport: asyncio.Transport | None = None
        self._descriptors = descriptors
        self._longest = longest
        self._buffer = bytearray()
        self._answer: asyncio.Future[_Frame] | None = None

    @classmethod
    async def start(cls, program: Program, settings: ChildSettings) -> Self:
        """Start a process and return it when it is ready for calls.

        Raises ProcessDied, OSError or TimeoutError; the process is ended then.
        """
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self = cls(ours.dup(), settings.max_result)
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", program.module),
                    stdin=theirs.fileno(),
                    stdout=DEVNULL,
                    env=program.environment(),
                )
            await loop.create_unix_connection(lambda: self, sock=ours)
        except BaseException:
            ours.close()
            self._descriptors.close()
            self.kill()
            raise
        try:
            setup = Setup(parent=os.getpid(), settings=settings)
            async with asyncio.timeout(_START_TIMEOUT):
                ready = await self._exchange(setup, (), seconds=0)
            self.missing = Ready.model_validate_json(ready.text).missing
        except BaseException as exc:
            self.kill()
            await self.death()
            if isinstance(exc, ValidationError):
                raise ProcessDied("The process did not say that it is ready.") from exc
            raise
        return self

    async def call(
        self, call: Call[OutcomeT], contents: Sequence[Content], seconds: int
    ) -> Answer[OutcomeT]:
        """Have the process do a call, with `seconds` of CPU at most.

        `contents` are the call's images; the caller may close descriptors when this returns or
        raises. Raises ProcessDied. A cancelled call goes on in the process: wait for its `rest`
        before the next one.
        """
        self.calls += 1
        return self._read(call, await self._exchange(call, contents, seconds=seconds))

    async def rest(self, call: Call[OutcomeT]) -> Answer[OutcomeT]:
        """Wait for the end of a call that was cancelled. Raises ProcessDied."""
        assert self._answer is not None
        return self._read(call, await self._answer)

    def _read(self, call: Call[OutcomeT], frame: _Frame) -> Answer[OutcomeT]:
        try:
            answer = call.read_answer(frame.text, frame.attached)
        except ValueError as exc:
            self.kill()
            # Without the exception: it quotes the answer.
            errors = exc.error_count() if isinstance(exc, ValidationError) else 1
            raise ProcessDied(f"The process gave a malformed answer: {errors} errors.") from None
        self.resident = answer.resident
        return answer

    def kill(self) -> None:
        """End the process at once. A call in progress raises ProcessDied."""
        if self._transport is not None:
            self._transport.abort()
        if self._process is not None and self._process.returncode is None:
            # Not `Process.kill`: in Python 3.11 it may reap the process, and its end is lost.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    async def death(self) -> str:
        """Return how the process ended, in words. It has ended, or is about to."""
        assert self._process is not None
        code = await self._process.wait()
        return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"

    @property
    def pid(self) -> int:
        """Return the process's id."""
        assert self._process is not None
        return self._process.pid

    async def _exchange(
        self, message: Message, contents: Sequence[Content], *, seconds: int
    ) -> _Frame:
        transport, self._answer = self._transport, asyncio.get_running_loop().create_future()
        if transport is None or transport.is_closing():
            raise ProcessDied("The process has ended.")
        body = message.model_dump_json().encode()
        inside = [one for one in contents if isinstance(one, bytes)]
        descriptors = [one for one in contents if isinstance(one, int)]
        header = CALL_HEADER.pack(len(body), sum(map(len, inside)), seconds)
        frame = b"".join((header, body, *inside))
        # The process has read the last call, so the transport has nothing to send before this one.
        try:
            sent = socket.send_fds(self._descriptors, [frame], descriptors)
        except OSError as exc:
            raise ProcessDied("The process takes no call.") from exc
        transport.write(frame[sent:])
        try:
            return await self._answer
        except asyncio.CancelledError:
            if self._answer.cancelled():
                # For the answer, which is still to come.
                self._answer = asyncio.get_running_loop().create_future()
            raise

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Collect an answer. Called by the event loop."""
        buffer = self._buffer
        buffer += data
        if len(buffer) < ANSWER_HEADER.size:
            return
        text, attached = ANSWER_HEADER.unpack_from(buffer)
        end = ANSWER_HEADER.size + text + attached
        waited_for = self._answer is not None and not self._answer.done()
        too_long = text > MAX_ANSWER or attached > self._longest
        if too_long or len(buffer) > end or not waited_for:
            self._fail("The process sent more than an answer.")
            self.kill()
        elif len(buffer) == end:
            assert self._answer is not None
            whole, self._buffer = memoryview(buffer)[ANSWER_HEADER.size :], bytearray()
            self._answer.set_result(_Frame(bytes(whole[:text]), whole[text:]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the call in progress. Called by the event loop."""
        self._descriptors.close()
        self._fail("The process ended.")
        if self.on_end is not None:
            self.on_end()

    def _fail(self, reason: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ProcessDied(reason))
            # Not an error of the event loop: the caller may have left.
            self._answer.exception()
