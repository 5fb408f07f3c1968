"""A webhook receiver on a local port: records requests, and answers as its test says."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

Answer = str | bytes | asyncio.Event
"""A status line, with headers if needed; raw bytes, repeated for ever; an event to wait for."""


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: str
    at: float  # seconds on the monotonic clock


class Receiver:
    """Gives the answers in turn, and 204 after the last one."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[Received] = []
        self.url = ""
        self._answers = deque(answers)
        self._arrival = asyncio.Condition()
        self._serving: set[asyncio.Task[None]] = set()

    async def receive(self, count: int, *, within: float = 15) -> list[Received]:
        """Return every request so far, once there are `count`. Raises TimeoutError."""
        async with asyncio.timeout(within), self._arrival:
            await self._arrival.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request and answer it."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            await self._serve(reader, writer)
        # A cancelled task makes asyncio's own callback fail (CPython 3.11).
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        """Drop every request that is still being answered."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:])
        headers = {name.lower(): value for name, value in pairs}
        length = int(headers.get("content-length", 0))
        body = (await reader.readexactly(length)).decode()
        async with self._arrival:
            self.requests.append(Received(head[0].split()[1], headers, body, time.monotonic()))
            self._arrival.notify_all()
        await self._answer(writer)

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        answer = self._answers.popleft() if self._answers else "204 No Content"
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = "204 No Content"
        if isinstance(answer, str):
            answer = f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n"
            writer.write(answer.encode())
            await writer.drain()
            return
        while True:
            writer.write(answer)
            await writer.drain()


@asynccontextmanager
async def receiver(
    *answers: Answer, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """A receiver that listens on `host`; its URL is in `url`."""
    listening = Receiver(*answers)
    server = await asyncio.start_server(listening.serve, host, port, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    listening.url = f"http://{host}:{port}/hook"
    try:
        yield listening
    finally:
        server.close()
        await listening.close()
