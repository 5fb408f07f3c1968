"""As little HTTP as a load needs: connections that are kept, and answers with their length."""

import asyncio
import re
import time

FRESH = 3.0  # seconds a connection may have been idle; uvicorn hangs up after 5

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """A status that was not hoped for."""


class Http:
    """Asks one server, over as many connections as there are questions at once."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: list[tuple[float, Connection]] = []

    async def ask(self, method: str, path: str, body: bytes = b"", *, hoped: int) -> bytes:
        """The answer's body. Raises Refused for another status."""
        reader, writer = await self._connection()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(answer)
        text = await reader.readexactly(int(found[1]) if found else 0)
        self._idle.append((time.monotonic(), (reader, writer)))
        status = int(answer[9:12])
        if status != hoped:
            raise Refused(f"{status}: {text[:200]!r}")
        return text

    async def _connection(self) -> Connection:
        if self._idle:
            since, connection = self._idle.pop()
            if time.monotonic() - since < FRESH:
                return connection
            # It was the one used last, so the others are older.
            for _, (_, writer) in [(since, connection), *self._idle]:
                writer.close()
            self._idle.clear()
        return await asyncio.open_connection(self._host, self._port)
