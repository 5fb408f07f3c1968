"""uvicorn's protocol for WebSockets with bounds on what a client may send, and leave unread."""

from asyncio import BaseTransport
from collections.abc import Iterable
from struct import Struct
from typing import Any, cast

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.protocol import State

from services.gateway.token_bucket import TokenBucket

MAX_MESSAGE = 128 * 1024
"""Bytes of a message; a list of 1000 ids has 36,000."""

BURST = 10
"""Seconds of the permitted rate that a client may send at once."""

TEXTS = "darkroom.texts"
"""Key of a `websocket.send` with several texts, in UTF-8, in place of `text`.

They pass the application's parts together, and leave in one packet: each part, and each write,
would take as long as an event takes to encode.
"""

_TEXT = 0x81  # the first byte of a whole message
_TWO_BYTES, _EIGHT_BYTES = 126, 127  # second bytes, for a size of so many bytes behind them
_SHORT_SIZE, _LONG_SIZE = Struct(">BBH"), Struct(">BBQ")

_PIECE = 4096  # bytes: 680 of the shortest frames
_INVALID_DATA, _POLICY_VIOLATION = 1007, 1008  # RFC 6455, section 7.4.1


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Closes the connection of a client that sends more than `max_frames` frames a second.

    A handshake that is not answered within `handshake_timeout` seconds ends the connection, too.

    Each frame counts: a ping costs an answer, and a message may have any number of empty frames.

    The connection of a client that reads nothing ends when a ping was not answered in time, and ten
    seconds after it was closed. uvicorn itself would wait until the client has read everything.
    """

    def __init__(
        self,
        max_frames: int,
        handshake_timeout: float,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._frames = TokenBucket(rate=max_frames, size=max_frames * BURST)
        self._handshake_timeout = handshake_timeout

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.loop.call_later(self._handshake_timeout, self._end_handshake)

    def _end_handshake(self) -> None:
        """End a connection whose handshake has no answer: no other timer looks at it."""
        if not self.handshake_complete:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        # In pieces, so that a packet full of frames is not parsed to its end.
        for start in range(0, len(data), _PIECE):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _PIECE])

    def handle_events(self) -> None:
        if self._frames.take(len(self.conn.events)):
            super().handle_events()
            return
        self.conn.fail(_POLICY_VIOLATION, "Too many frames.")
        if self.conn.close_sent is None:  # frames before the handshake was answered
            self.transport.abort()
        else:
            self.handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                # uvicorn would log the client's mistake as an error, with a traceback.
                self.conn.fail(_INVALID_DATA, "Text is UTF-8.")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message of the application.

        Raises ClientDisconnected after the connection was closed for a fault of its client, where
        uvicorn raises RuntimeError, as for a fault of the application.
        """
        if self.handshake_complete and self.close_sent:
            raise ClientDisconnected
        if TEXTS in message:
            await self._send_texts(cast(Any, message)[TEXTS])
            return
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            # Refused by a response: uvicorn would log that there was no answer at all.
            self.handshake_complete = True

    async def _send_texts(self, texts: Iterable[bytes]) -> None:
        """Send several texts, each as a message of its own, by one write."""
        await self.writable.wait()
        if self.disconnected or self.conn.state is not State.OPEN:
            raise ClientDisconnected
        self.transport.write(b"".join(map(_frame_of, texts)))

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(self.close_timeout, self.transport.abort)


def _frame_of(text: bytes) -> bytes:
    """Return the frame of a text that no extension changes (RFC 6455, section 5.2).

    The package's own way takes 5 percent of the time that a job takes the gateway.
    """
    size = len(text)
    if size < _TWO_BYTES:
        return bytes((_TEXT, size)) + text
    if size <= 0xFFFF:
        return _SHORT_SIZE.pack(_TEXT, _TWO_BYTES, size) + text
    return _LONG_SIZE.pack(_TEXT, _EIGHT_BYTES, size) + text
