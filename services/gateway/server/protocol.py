"""uvicorn's protocol for HTTP with bounds, and with problem documents for malformed requests."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from services.gateway.server.connections import Connections
from services.gateway.server.host_field import has_host
from services.gateway.server.refusals import (
    HOST,
    LONG_HEADER,
    LONG_LINE,
    MALFORMED,
    PIPELINE,
    SLOW_HEADER,
    SMALL_CHUNKS,
    UPGRADE,
    Refusal,
    response,
)

MAX_PIPELINED = 16
"""Requests of a connection that wait behind the one that is answered."""

MARK = "darkroom.bounded"
"""Key in the ASGI scope's `state` of each request that came through this protocol."""

_BODY = (b"content-length", b"transfer-encoding")  # fields of a request with a body
_VERSIONS = frozenset({"1.1", "1.0"})
_MIN_CHUNK = 128  # bytes that the chunks of a body have to have on average
_SMALL_CHUNKS = 1000  # chunks of a body that may be smaller
_MAX_DROPPED = 16 * 1024 * 1024  # bytes read after a refusal, so that the client reads the answer


class BoundedProtocol(HttpToolsProtocol):
    """Limits the bytes that a client may send without any progress of its request.

    Progress is a whole header, a byte of a body, or the end of a request. Header, trailer and
    extensions of a chunk share one limit, `max_header`. It has to be kept outside of the parser:
    httptools copies an unfinished field again with each packet. Bytes that arrive together with
    progress are not counted, so a trailer may have twice the limit.
    """

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, MARK: True}, _loop)
        self._bounds = connections
        self._waiting = connections.waiting
        self._max_header = connections.settings.max_header
        self._max_fields = connections.settings.max_header_fields
        self._room = self._max_header  # bytes until the limit; below zero all bytes are dropped
        self._credit = _SMALL_CHUNKS * _MIN_CHUNK  # bytes that a body's chunks may lack
        self._whole: object = None  # scope of the last request that has arrived to its end
        self._answered = False  # True if there was an answer
        self._answer: bytes | None = None  # of a refusal
        self.url = b""

    @property
    def address(self) -> str | None:
        """The client's address; None for a connection by a Unix socket."""
        return self.client[0] if self.client else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        refusal = self._bounds.admit(self, self.connections)
        if refusal is not None:
            self._refuse(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        self._bounds.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if len(data) <= self._room:
            self._room -= len(data)
            super().data_received(data)
        else:
            self._receive_in_pieces(memoryview(data))

    def _receive_in_pieces(self, data: memoryview) -> None:
        """Give the parser no byte beyond the limit; progress raises the limit again."""
        if self._room < 0:
            self._room -= len(data)
            if self._room < -_MAX_DROPPED:
                self.flow.pause_reading()
            return
        while data and self._room >= 0:
            if self._room == 0:
                self._refuse(LONG_LINE if len(self.url) > self._max_header // 2 else LONG_HEADER)
                return
            piece, data = data[: self._room], data[self._room :]
            self._room -= len(piece)
            super().data_received(piece)  # type: ignore[arg-type]  # the parser takes any buffer

    def _is_between_requests(self) -> bool:
        """Return whether all requests are answered, and the parser has no byte of a next one."""
        return (
            self in self._waiting and self._whole is self.scope and self._room == self._max_header
        )

    def on_headers_complete(self) -> None:
        if self._room < 0:
            return
        self._room = self._max_header
        self._waiting.pop(self, None)
        previous = self.cycle
        if len(self.headers) > self._max_fields:
            self._refuse(LONG_HEADER)
        elif len(self.pipeline) >= MAX_PIPELINED:
            self._refuse(PIPELINE)
        elif (version := self.parser.get_http_version()) not in _VERSIONS:
            self._refuse(MALFORMED)
        elif not has_host(self.headers, version):
            self._refuse(HOST)
        else:
            super().on_headers_complete()
            if not self.parser.should_upgrade():
                # The application has the old list; fields of a trailer stay out of it.
                self.headers = []
            elif self.cycle is not previous:
                # Not a WebSocket: an ordinary answer, after which the parser can't go on.
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if self._room < 0:
            return
        self._room = self._max_header
        self._credit += len(body) - _MIN_CHUNK
        if self._credit < 0:
            self._refuse(SMALL_CHUNKS)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._room >= 0:
            self._room = -1 if self.parser.should_upgrade() else self._max_header
            self._credit = _SMALL_CHUNKS * _MIN_CHUNK
            self._whole = self.scope
            super().on_message_complete()

    def on_response_complete(self) -> None:
        # As uvicorn's, but for its timer: `Connections` ends connections without a next request.
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self.transport.is_closing() or not self.cycle.response_complete:
            return
        if self._answer is None:
            self._wait()
        else:
            self._close_with(self._answer)

    def _wait(self) -> None:
        """Begin to wait for a request behind an answer."""
        self._answered = True
        self._waiting[self] = self.loop.time()

    def handle_websocket_upgrade(self) -> None:
        if self._answer is not None:
            return  # The request was refused by its header.
        # RFC 6455, section 4.1. The package websockets leaves any other request without an answer.
        if self.scope["method"] != "GET" or any(name in _BODY for name, _ in self.headers):
            self._refuse(MALFORMED)
        elif self.cycle is not None and not self.cycle.response_complete:
            # uvicorn would begin the WebSocket in front of the answer.
            self._refuse(UPGRADE)
        else:
            self._room = -1
            self._bounds.upgrade(self, self.transport)
            super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer malformed HTTP, in the place of uvicorn's plain text."""
        if self._answer is None:
            self._refuse(MALFORMED)

    def expire(self) -> None:
        """End a connection whose header took too long; silently if none of it has arrived."""
        if self._room < self._max_header:
            self._refuse(SLOW_HEADER)
        else:
            self._bounds.forget(self)
            self.transport.close()

    def close_if_idle(self) -> None:
        """End a connection that has had an answer, and nothing of a next request since."""
        if self._answered and self._room == self._max_header:
            self._bounds.forget(self)
            self.transport.close()

    def abort(self) -> None:
        """End the connection at once, with what was not sent."""
        self._bounds.forget(self)
        self.transport.abort()

    def _refuse(self, refusal: Refusal) -> None:
        """Read nothing more; answer with the refusal after the requests that are under way."""
        self._room = -1
        self._bounds.refuse(self, refusal)
        self._answer = response(
            refusal,
            client=self.address,
            request=self.headers or (),
            server=self.server_state.default_headers,
            prefix=self._bounds.settings.root_path or self.root_path,
        )
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._close_with(self._answer)
        elif not cycle.more_body:
            return  # on_response_complete sends the answer
        elif self.pipeline or cycle.response_started:
            self.abort()
        else:
            # The body of this request was refused: for the application, its client disconnects.
            cycle.disconnected = True
            cycle.message_event.set()
            self._close_with(self._answer)

    def _close_with(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            # If the socket closed now and the client went on sending, the kernel would reset the
            # connection, and the client would lose the answer.
            self.transport.write_eof()
            self._bounds.close_soon(self)
        else:
            self.transport.close()
