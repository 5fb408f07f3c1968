"""uvicorn's protocol for HTTP with bounds, and with problem documents for malformed requests."""

import asyncio
from functools import partial
from typing import Any, cast

import structlog
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from services.gateway.server.at_once import Admitted, WholeAnswer
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

log = structlog.get_logger(__name__)

MARK = "darkroom.bounded"
"""Key in the ASGI scope's `state` of each request that came through this protocol."""

_BODY = (b"content-length", b"transfer-encoding")  # fields of a request with a body
_VERSIONS = frozenset({"1.1", "1.0"})
_MAX_PIPELINED = 16  # requests of a connection that wait behind the one that is answered
_MIN_CHUNK = 128  # bytes that the chunks of a body have to have on average
_SMALL_CHUNKS = 1000  # chunks of a body that may be smaller
_MAX_DROPPED = 16 * 1024 * 1024  # bytes read after a refusal, so that the client reads the answer


def _nothing() -> None:
    """Nothing follows the end of an answer."""


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
        self._answer: bytes | None = None  # of a refusal
        self._at_once = connections.at_once
        self._in_a_row = 0  # answers at once to requests that arrived together
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
        self._in_a_row = 0
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

    def on_headers_complete(self) -> None:
        if self._room < 0:
            return
        self._room = self._max_header
        self._waiting.pop(self, None)
        previous = self.cycle
        if len(self.headers) > self._max_fields:
            self._refuse(LONG_HEADER)
        elif len(self.pipeline) >= _MAX_PIPELINED:
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

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Answer at once what needs no wait, or make a task for the application's answer."""
        if self._bounds.shutdown.began and cycle is self.cycle:
            cycle.keep_alive = False  # uvicorn misses a connection accepted while it stops
        found = None
        if app is self.app and self._may_answer_at_once(cycle):
            found = self._find_at_once(cycle)
        if isinstance(found, WholeAnswer):
            self._in_a_row += 1
            self._write_whole(cycle, found)
            return
        if found is not None:
            cycle.scope = cast(Any, found.scope)
            app = cast(Any, partial(found.app, partial(self._write_later, cycle)))
        super()._start_asgi_task(cycle, app)

    def _may_answer_at_once(self, cycle: RequestResponseCycle) -> bool:
        """Return whether an answer can be written now, and nothing but the next request follows."""
        return (
            cycle is self.cycle
            and cycle.keep_alive
            and self._answer is None
            and self._in_a_row < _MAX_PIPELINED  # then those of other connections have their turn
            and not (
                self.flow.write_paused
                or cycle.waiting_for_100_continue
                or self.parser.should_upgrade()
                or self.transport.is_closing()
            )
        )

    def _find_at_once(self, cycle: RequestResponseCycle) -> WholeAnswer | Admitted | None:
        try:
            return self._at_once(cycle.scope, self.transport)  # type: ignore[arg-type]  # uvicorn's types
        except Exception as exc:
            # A bug there ends neither the connection nor the request.
            log.error("not answered at once", exc_info=exc)
            return None

    def _write_later(self, cycle: RequestResponseCycle, answer: WholeAnswer) -> bool:
        """Write the answer of a task; return False where uvicorn has more to do than to write."""
        left = cycle.disconnected or self.transport.is_closing()
        if left or self.flow.write_paused or not cycle.keep_alive:
            return False
        self._write_whole(cycle, answer)
        cycle.message_event.set()  # for a task that waits for the client to disconnect
        return True

    def _write_whole(self, cycle: RequestResponseCycle, answer: WholeAnswer) -> None:
        server = self._bounds.server_lines(self.server_state.default_headers)
        head = b"%b%b%b\r\n" % (STATUS_LINE[answer.status], server, answer.lines)
        # `writelines` does not pause a protocol in Python up to 3.12.8 and 3.13.1 (CVE-2024-12254).
        self.transport.write(head + answer.body)
        cycle.response_started = cycle.response_complete = True
        cycle.on_response = _nothing  # as uvicorn's: the connection and its cycle would be garbage
        self.on_response_complete()

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
            self._waiting[self] = self.loop.time()
        else:
            self._close_with(self._answer)

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
        if self.cycle is not None and self._room == self._max_header:
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
