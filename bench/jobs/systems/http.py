"""A minimal HTTP client that costs little CPU: keep-alive, bodies with Content-Length only."""

import asyncio
import re
import time

MAX_IDLE = 3.0  # seconds a connection may have been idle; uvicorn closes it after 5

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class UnexpectedStatus(Exception):
    """The response has another status than the expected one."""


class Http:
    """Sends requests to one server, over as many connections as there are concurrent requests."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: list[tuple[float, Connection]] = []

    async def request(self, method: str, path: str, body: bytes = b"", *, expected: int) -> bytes:
        """Return the response's body. Raises UnexpectedStatus unless its status is `expected`."""
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
        if status != expected:
            raise UnexpectedStatus(f"{status}: {text[:200]!r}")
        return text

    async def _connection(self) -> Connection:
        if self._idle:
            since, connection = self._idle.pop()
            if time.monotonic() - since < MAX_IDLE:
                return connection
            # This one was used last: the others have been idle even longer.
            for _, (_, writer) in [(since, connection), *self._idle]:
                writer.close()
            self._idle.clear()
        return await asyncio.open_connection(self._host, self._port)
