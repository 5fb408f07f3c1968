"""A web server on a local port whose answers a test chooses; it records the requests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.imaging.pictures import encoded, scenery

PNG = encoded(scenery(90, 60), "PNG")
OTHER_PNG = encoded(scenery(60, 90), "PNG")


@dataclass(frozen=True)
class Asked:
    """A request; names of header fields are in lower case."""

    path: str
    headers: dict[str, str]


Answer = bytes | Callable[[Asked], Awaitable[bytes]]
"""The bytes of an answer, or what makes them."""


def answer(status: int = 200, body: bytes = b"", **fields: str) -> bytes:
    """Return an answer; `cache_control` is the field Cache-Control."""
    sent = {"content_length": str(len(body)), **fields}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in sent.items())
    return f"HTTP/1.1 {status} Some Reason\r\n{head}\r\n".encode() + body


class Web:
    """Answers by path; 404 for every other one."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                pairs = (line.split(": ", 1) for line in head[1:])
                asked = Asked(head[0].split()[1], {name.lower(): text for name, text in pairs})
                self.asked.append(asked)
                given = self.answers.get(asked.path, answer(404))
                writer.write(given if isinstance(given, bytes) else await given(asked))
                await writer.drain()
        # A cancelled task makes asyncio's own callback fail (CPython 3.11).
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        """Drop every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def web_server() -> AsyncIterator[Web]:
    """A running server; `url` is its address without a path."""
    web = Web()
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0)
    web.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield web
    finally:
        server.close()
        await web.close()
