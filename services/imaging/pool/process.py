"""A pool process as its service sees it: started, called, and killed.

The two talk over a pair of Unix sockets, as `messages` describes. The process gets an environment
of a few named variables: that of the service has passwords in it.
"""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self, cast

from pydantic import ValidationError

from services.imaging.pool.messages import (
    ANSWER_HEADER,
    CALL_HEADER,
    MAX_ANSWER,
    Answer,
    Call,
    OutcomeT,
    Ready,
    Setup,
)
from services.imaging.settings import ImagingSettings
from services.runtime.redis.endpoint import with_addresses

_PASSED_ON = (
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)
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


class PoolProcess(asyncio.Protocol):
    """One process, which does one call at a time."""

    def __init__(self) -> None:
        self.missing: tuple[str, ...] = ()
        """The names of the protections that the process does not have."""
        self.calls = 0
        self.resident = 0
        """MiB of memory that the process held after its last call."""
        self.on_end: Callable[[], None] | None = None
        """Called when the process has ended or closed its connection."""
        self._process: Process | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answer: asyncio.Future[bytes] | None = None

    @classmethod
    async def start(cls, program: Program, settings: ImagingSettings) -> Self:
        """Start a process and return it when it is ready for calls.

        Raises ProcessDied, OSError or TimeoutError; the process is ended then.
        """
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        self = cls()
        try:
            with theirs:
                ours.setblocking(False)
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", program.module),
                    stdin=theirs.fileno(),
                    stdout=DEVNULL,
                    env=program.environment(),
                )
            await loop.create_unix_connection(lambda: self, sock=ours)
        except BaseException:
            ours.close()
            self.kill()
            raise
        try:
            # As JSON, `pool_redis_url` is asterisks: the process sees that it was set.
            own = settings.pool_redis_url
            url = own.get_secret_value() if own else settings.redis_url
            limited = settings.model_copy(update={"redis_url": await with_addresses(url)})
            setup = Setup(parent=os.getpid(), settings=limited).model_dump_json().encode()
            async with asyncio.timeout(_START_TIMEOUT):
                ready = await self._exchange(ANSWER_HEADER.pack(len(setup)) + setup)
            self.missing = Ready.model_validate_json(ready).missing
        except BaseException as exc:
            self.kill()
            await self.death()
            if isinstance(exc, ValidationError):
                raise ProcessDied("The process did not say that it is ready.") from exc
            raise
        return self

    async def call(self, call: Call[OutcomeT], seconds: int) -> Answer[OutcomeT]:
        """Have the process do a call, with `seconds` of CPU at most.

        Raises ProcessDied. A cancelled call goes on in the process, which is to be killed then.
        """
        body = call.model_dump_json().encode()
        self.calls += 1
        frame = await self._exchange(CALL_HEADER.pack(len(body), seconds) + body)
        try:
            answer = call.answer.model_validate_json(frame)
        except ValidationError as exc:
            self.kill()
            # Without the exception: it quotes the answer.
            reason = f"The process gave a malformed answer: {exc.error_count()} errors."
            raise ProcessDied(reason) from None
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

    async def _exchange(self, frame: bytes) -> bytes:
        transport, self._answer = self._transport, asyncio.get_running_loop().create_future()
        if transport is None or transport.is_closing():
            raise ProcessDied("The process has ended.")
        transport.write(frame)
        return await self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Collect an answer. Called by the event loop."""
        buffer = self._buffer
        buffer += data
        if len(buffer) < ANSWER_HEADER.size:
            return
        (length,) = ANSWER_HEADER.unpack_from(buffer)
        end = ANSWER_HEADER.size + length
        waited_for = self._answer is not None and not self._answer.done()
        if length > MAX_ANSWER or len(buffer) > end or not waited_for:
            self._fail("The process sent more than an answer.")
            self.kill()
        elif len(buffer) == end:
            assert self._answer is not None
            self._answer.set_result(bytes(buffer[ANSWER_HEADER.size :]))
            buffer.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the call in progress. Called by the event loop."""
        self._fail("The process ended.")
        if self.on_end is not None:
            self.on_end()

    def _fail(self, reason: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ProcessDied(reason))
