"""Answers at once keep the order of requests, and what the server promises to clients."""

import asyncio
from functools import partial
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from services.gateway.server import connections
from services.gateway.server.answering import AnsweringProtocol
from services.gateway.server.at_once import Admitted, Again, OnceRead, Write
from services.gateway.server.connections import Connections
from services.gateway.server.whole_answers import WholeAnswer
from services.gateway.settings import GatewaySettings
from services.gateway.shutdown import Shutdown
from services.runtime.telemetry.metrics import Metrics
from tests.gateway.server.test_pieces import Wire
from tests.processes import until

WHOLE = WholeAnswer(200, b"content-length: 3\r\nage: 1\r\n", b"abc")
WRITTEN = b"HTTP/1.1 200 OK\r\nserver: it\r\ncontent-length: 3\r\nage: 1\r\n\r\nabc"
HANDSHAKE = (
    b"GET /live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Recording(Wire):
    """A wire that keeps what is written."""

    def __init__(self, **extra: Any) -> None:
        super().__init__(extra)
        self.written = b""
        self.writes = 0
        self.closed = self.ended = False
        self.protocol: object = None

    def set_protocol(self, protocol: object) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        assert not self.ended
        self.written += data
        self.writes += 1

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Server:
    """A connection of a server that answers at once, or by its application."""

    def __init__(
        self,
        *,
        keep_alive: float = 60,
        connections: Connections | None = None,
        trusted: str | None = None,
        **extra: Any,
    ) -> None:
        self.shutdown = Shutdown()
        self.at_once: list[bytes] = []
        self.by_application: list[bytes] = []
        self.again: list[bytes] = []
        self.fails = self.forgets = self.refuses = False
        self.go = asyncio.Event()  # lets the application answer
        self.go.set()
        self.connections = connections or Connections(
            GatewaySettings(),
            Metrics(),
            is_exempt=lambda address: trusted in (None, address),
            at_once=self,
            keep_alive=keep_alive,
            shutdown=self.shutdown,
        )
        state = ServerState()
        state.default_headers = [(b"server", b"it")]
        config = Config(self.application, log_config=None, interface="asgi3")
        config.load()
        self.protocol = AnsweringProtocol(self.connections, config, state, {})
        self.wire = Recording(**extra)
        self.protocol.connection_made(self.wire)

    def __call__(
        self, request: Scope, transport: asyncio.WriteTransport
    ) -> WholeAnswer | Admitted | OnceRead | None:
        if self.fails:
            raise ValueError
        assert transport is self.wire
        if request["raw_path"] == b"/app":
            return None
        if request["raw_path"] == b"/admitted":
            admitted = Admitted({**request, "checked": True}, self.admitted)
            return partial(self.once_read, admitted) if request["method"] == "POST" else admitted
        self.at_once.append(request["raw_path"])
        return WHOLE

    def remember(self, request: Scope) -> Again | None:
        def again(transport: asyncio.WriteTransport) -> WholeAnswer | None:
            if self.fails:
                raise ValueError
            assert isinstance(transport, Recording)
            self.again.append(request["raw_path"])
            return None if self.forgets else WHOLE

        return again

    def once_read(self, admitted: Admitted) -> Admitted | None:
        if self.fails:
            raise ValueError
        assert not self.protocol.cycle.more_body
        return None if self.refuses else admitted

    async def admitted(self, write: Write, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["checked"]
        await self.go.wait()
        if self.fails:
            raise ValueError
        if not write(WHOLE):
            await self.application(scope, receive, send)

    async def application(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.by_application.append(scope["raw_path"])
        await self.go.wait()
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        headers = [(b"content-length", b"3")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"app"})

    async def take(self, *requests: bytes) -> bytes:
        """Give the connection requests that arrive together; return what it writes."""
        self.wire.written = b""
        self.protocol.data_received(b"".join(requests))
        await self.finish()
        return self.wire.written

    async def finish(self) -> None:
        """Return once the tasks of all requests are done."""
        while self.protocol.tasks:
            await asyncio.wait(set(self.protocol.tasks))


def get(path: str = "/", fields: str = "", version: str = "1.1") -> bytes:
    return f"GET {path} HTTP/{version}\r\nHost: a\r\n{fields}\r\n".encode()


async def test_an_answer_at_once_is_written_whole_before_anything_else_runs() -> None:
    server = Server()
    for _ in range(3):
        server.wire.written = b""
        server.protocol.data_received(get())
        assert server.wire.written == WRITTEN
    assert not server.by_application
    assert server.protocol.server_state.total_requests == 3


async def test_requests_that_arrive_together_are_answered_in_order_and_take_turns() -> None:
    server = Server()
    paths = [f"/{number}" for number in range(20)]
    written = await server.take(*map(get, paths))
    assert server.at_once == [path.encode() for path in paths[:16]]
    assert server.by_application == [path.encode() for path in paths[16:]]
    assert written.startswith(16 * WRITTEN)
    assert written.count(b"\r\n\r\napp") == 4
    assert (await server.take(get())) == WRITTEN


async def test_a_refusal_behind_an_answer_at_once_is_sent_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server()
    written = await server.take(get("/app"), get("/"), b"nonsense\r\n\r\n")
    assert server.by_application == [b"/app", b"/"]
    assert written.count(b"HTTP/1.1 400") == 1
    assert server.wire.ended
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_websocket_is_refused_behind_a_request_under_way() -> None:
    server = Server()
    written = await server.take(get("/app"), HANDSHAKE)
    assert server.by_application == [b"/app"]
    assert written.index(b"app") < written.index(b"HTTP/1.1 400")
    assert server.wire.ended
    assert server.protocol not in server.connections.waiting


async def test_a_websocket_may_begin_behind_an_answer_at_once() -> None:
    server = Server()
    await server.take(get("/"), HANDSHAKE)
    assert isinstance(server.wire.protocol, WebSocketsSansIOProtocol)
    assert server.wire.written.startswith(WRITTEN + b"HTTP/1.1 101")
    assert server.protocol not in server.connections.waiting


async def test_a_connection_does_not_wait_while_a_request_behind_an_answer_is_answered() -> None:
    server = Server()
    server.go.clear()
    server.protocol.data_received(get("/") + get("/app"))
    assert server.wire.written == WRITTEN
    assert server.protocol not in server.connections.waiting
    server.go.set()
    assert (await server.take()).endswith(b"app")
    assert server.protocol in server.connections.waiting


async def test_a_connection_ends_if_no_request_follows_an_answer() -> None:
    unused, begun, idle = (Server(keep_alive=0.01) for _ in range(3))
    for server in (begun, idle):
        await server.take(get())
    begun.protocol.data_received(get()[:9])
    for server in (unused, begun):
        server.protocol.close_if_idle()
        assert not server.wire.closed
    await until(lambda: idle.wire.closed)


async def test_each_connection_of_a_process_that_stops_ends_with_its_next_answer() -> None:
    server = Server()
    server.go.clear()
    server.protocol.data_received(get("/app"))
    await asyncio.sleep(0)
    server.protocol.data_received(get("/last"))
    server.shutdown.begin()
    server.go.set()
    first, last, _ = (await server.take()).split(b"app")
    assert (server.at_once, server.by_application) == ([], [b"/app", b"/last"])
    assert b"connection: close" not in first
    assert b"connection: close" in last
    assert server.wire.closed


async def test_no_connection_without_a_request_holds_up_a_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "CLOSING", 0.05)
    unused, idle = Server(), Server()
    await idle.take(get())
    for server in (unused, idle):
        server.shutdown.begin()
    await until(lambda: unused.wire.closed and idle.wire.closed)
    assert unused.wire.written == b""


async def test_a_client_that_takes_no_answer_gets_none_at_once() -> None:
    server = Server()
    server.protocol.pause_writing()
    server.protocol.data_received(get())
    assert (server.at_once, server.wire.written) == ([], b"")
    server.protocol.resume_writing()
    assert b"app" in await server.take()


@pytest.mark.parametrize(
    ("request_", "closed"),
    [
        (get(fields="Connection: close\r\n"), True),
        (get(version="1.0"), True),
        (get(fields="Connection: Upgrade\r\nUpgrade: h2c\r\n"), True),
        (get(fields="Expect: 100-continue\r\n"), False),
    ],
)
async def test_the_application_answers_where_more_than_an_answer_is_due(
    request_: bytes, closed: bool
) -> None:
    server = Server()
    written = await server.take(request_)
    assert (server.at_once, server.by_application) == ([], [b"/"])
    assert (b"connection: close" in written, server.wire.closed) == (closed, closed)


async def test_the_application_answers_if_the_answer_at_once_fails() -> None:
    server = Server()
    server.fails = True
    assert b"app" in await server.take(get())
