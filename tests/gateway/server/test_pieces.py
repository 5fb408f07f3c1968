"""Valid requests are read as uvicorn reads them, whatever the pieces in which they arrive."""

import asyncio
import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from services.gateway.server.answering import AnsweringProtocol
from services.gateway.server.connections import Connections
from services.gateway.settings import GatewaySettings
from services.gateway.shutdown import Shutdown
from services.runtime.telemetry.metrics import Metrics

SIZES = (0, 3, 1000, 100_000)


class Nothing:
    """Leaves every request to the application."""

    def __call__(self, request: Scope, transport: asyncio.WriteTransport) -> None:
        pass

    def remember(self, request: Scope) -> None:
        pass


class Wire(asyncio.Transport):
    """A transport whose client reads everything at once."""

    def write(self, data: object) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def request(choose: random.Random) -> bytes:
    sizes = [choose.choice((1, 3000)) for _ in range(3)]
    fields = b"Host: a\r\n" + b"".join(b"A%d: %s\r\n" % (i, b"v" * n) for i, n in enumerate(sizes))
    body = choose.randbytes(choose.choice(SIZES))
    if choose.random() < 0.5:
        return b"POST /p HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s" % (
            fields,
            len(body),
            body,
        )
    middle = choose.randint(0, len(body))
    chunks = [part for part in (body[:middle], body[middle:]) if part]
    coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"POST /c HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % (
        fields,
        coded,
    )


def pieces(data: bytes, choose: random.Random) -> Iterator[bytes]:
    while data:
        size = choose.choice((7, 100, 5000, 70_000, 262_144))
        yield data[:size]
        data = data[size:]


async def requests_read(protocol: Any, arriving: list[bytes]) -> list[tuple[object, ...]]:
    """Return path, header and body of each request that the protocol gives to its application."""
    found: list[tuple[object, ...]] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        found.append((scope["path"], scope["headers"], body))
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    config = Config(application, log_config=None)
    config.load()
    connection = protocol(config=config, server_state=ServerState(), app_state={})
    connection.connection_made(Wire())
    for piece in arriving:
        connection.data_received(piece)
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    connection.connection_lost(ConnectionResetError())
    return found


@pytest.mark.parametrize("seed", range(20))
async def test_pieces_of_any_size_give_the_same_requests(seed: int) -> None:
    choose = random.Random(seed)
    stream = b"".join(request(choose) for _ in range(5))
    arriving = list(pieces(stream, choose))
    connections = Connections(
        GatewaySettings(),
        Metrics(),
        is_exempt=lambda address: True,
        at_once=Nothing(),
        keep_alive=5,
        shutdown=Shutdown(),
    )

    found = await requests_read(partial(AnsweringProtocol, connections), arriving)

    assert len(found) == 5
    assert found == await requests_read(HttpToolsProtocol, arriving)
