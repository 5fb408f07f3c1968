"""A receiver of webhooks: it writes down what it is told, and answers as its test says."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

Answer = str | bytes | asyncio.Event
"""A status line, with headers if need be; all bytes, repeated for ever; what to wait for."""


@dataclass(frozen=True)
class Heard:
    """One request."""

    path: str
    headers: dict[str, str]
    body: str
    at: float


class Receiver:
    """Answers in turn as told, and 204 from then on."""

    def __init__(self, *answers: Answer) -> None:
        self.heard: list[Heard] = []
        self.url = ""
        self._answers = deque(answers)
        self._news = asyncio.Condition()
        self._serving: set[asyncio.Task[None]] = set()

    async def hears(self, count: int, *, within: float = 15) -> list[Heard]:
        """Everything so far, once it is `count` requests."""
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(lambda: len(self.heard) >= count)
        return self.heard

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear one request and answer it."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            await self._serve(reader, writer)
        # A task that is cancelled makes asyncio's own callback fail (CPython 3.11).
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        """Let nobody wait for an answer any more."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:])
        headers = {name.lower(): value for name, value in pairs}
        length = int(headers.get("content-length", 0))
        body = (await reader.readexactly(length)).decode()
        async with self._news:
            self.heard.append(Heard(head[0].split()[1], headers, body, time.monotonic()))
            self._news.notify_all()
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
    """A receiver that listens."""
    hearing = Receiver(*answers)
    server = await asyncio.start_server(hearing.serve, host, port, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    hearing.url = f"http://{host}:{port}/hook"
    try:
        yield hearing
    finally:
        server.close()
        await hearing.close()
