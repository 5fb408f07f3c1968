"""WebSockets are bounded: frames a second, bytes of a message, and the time without reading."""

import asyncio
import inspect
import json
from contextlib import suppress
from typing import Any, cast
from unittest.mock import Mock

import pytest
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from services.gateway.server.websocket import BURST, MAX_MESSAGE, TEXTS, BoundedWebSocket
from services.gateway.settings import GatewaySettings
from tests.gateway.server.test_written_at_once import HANDSHAKE
from tests.processes import Service

OVERRIDDEN = {
    "connection_made": "self, transport",
    "data_received": "self, data",
    "handle_events": "self",
    "keepalive_timeout": "self",
    "run_asgi": "self",
    "send": "self, message",
    "send_receive_event_to_app": "self",
}
"""Methods of uvicorn's protocol that ours overrides, with their parameters."""


def connected(service: Service) -> connect:
    return connect(service.url.replace("http", "ws", 1) + "/v1/live", proxy=None)


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_uvicorn_still_has_the_methods_that_are_overridden(name: str) -> None:
    [*parameters] = inspect.signature(getattr(WebSocketsSansIOProtocol, name)).parameters
    assert ", ".join(parameters) == OVERRIDDEN[name]


async def test_a_message_over_the_limit_closes_the_connection(gateway: Service) -> None:
    async with connected(gateway) as socket:
        await socket.send(" " * (MAX_MESSAGE + 1))
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert socket.close_code == 1009


async def test_messages_are_not_compressed_for_a_client_that_offers_it(gateway: Service) -> None:
    address = gateway.url.replace("http", "ws", 1) + "/v1/live"
    async with connect(address, proxy=None, compression="deflate") as socket:
        assert socket.protocol.extensions == []


async def test_the_longest_list_of_jobs_is_no_message_over_the_limit(gateway: Service) -> None:
    unknown = [f"{number:032x}" for number in range(1000)]
    message = json.dumps({"watch": unknown, "after": "1700000000000-0"}, indent=4)
    async with connected(gateway) as socket:
        await socket.send(message)
        for _ in unknown:
            assert json.loads(await socket.recv())["problem"]["code"] == "not_found"


async def test_a_burst_of_frames_is_read_and_a_flood_closes_the_connection(
    gateway: Service,
) -> None:
    burst = GatewaySettings().max_live_frames * BURST
    async with connected(gateway) as socket:
        for _ in range(burst // 2):
            await socket.send('{"watch": []}')
            await socket.ping()
        await (await socket.ping())
        with suppress(ConnectionClosed):
            for _ in range(burst):
                await socket.send('{"watch": []}')
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    # A connection that is closed with frames unread is reset, which can outrun the close frame.
    assert (socket.close_code, socket.close_reason) in {(1008, "Too many frames."), (1006, "")}


async def test_text_that_is_no_utf_8_closes_the_connection(gateway: Service) -> None:
    async with connected(gateway) as socket:
        await socket.send(b"\xff", text=True)
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert (socket.close_code, socket.close_reason) == (1007, "Text is UTF-8.")


async def test_what_the_application_sends_after_a_fault_of_its_client_is_no_error() -> None:
    made, _ = await protocol()
    made.handshake_complete = made.close_sent = True
    with pytest.raises(ClientDisconnected):
        await made.send({"type": "websocket.send", "text": "late"})


async def test_several_texts_are_messages_of_their_own_in_one_write() -> None:
    made, transport = await protocol()
    made.data_received(HANDSHAKE)
    await made.send({"type": "websocket.accept"})
    texts = [b"", *(b"x" * size for size in (125, 126, 65_535, 65_536)), "zwölf".encode()]
    await made.send(cast(Any, {"type": "websocket.send", TEXTS: texts}))
    frames = [Frame(Opcode.TEXT, text).serialize(mask=False) for text in texts]
    assert transport.written[1:] == [b"".join(frames)]
    await made.send({"type": "websocket.close"})
    with pytest.raises(ClientDisconnected):
        await made.send(cast(Any, {"type": "websocket.send", TEXTS: [b"late"]}))
    assert len(transport.written) == 3


@pytest.mark.parametrize("lost", [False, True])
async def test_texts_for_a_client_that_has_left_are_no_error(lost: bool) -> None:
    made, _ = await protocol()
    made.data_received(HANDSHAKE)
    await made.send({"type": "websocket.accept"})
    if lost:
        made.connection_lost(None)
    else:
        made.conn.send_close()
    with pytest.raises(ClientDisconnected):
        await made.send(cast(Any, {"type": "websocket.send", TEXTS: [b"late"]}))


class Transport(asyncio.Transport):
    """A connection whose client reads nothing: it never closes, unless it is aborted."""

    aborted = False

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written.append(data)

    def close(self) -> None: ...

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self.aborted = True


async def no_application(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that ends at once."""


async def protocol() -> tuple[BoundedWebSocket, Transport]:
    config = Config(no_application, log_config=None)
    config.load()
    made, transport = BoundedWebSocket(20, 0.05, config, ServerState(), {}), Transport()
    made.connection_made(transport)
    return made, transport


async def test_a_handshake_without_an_answer_ends() -> None:
    made, transport = await protocol()
    made.data_received(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n")
    assert not transport.aborted
    await asyncio.sleep(0.1)
    assert transport.aborted


async def test_a_client_that_answers_no_ping_is_cut_off() -> None:
    made, transport = await protocol()
    made.keepalive_timeout()
    assert transport.aborted


async def test_a_client_that_does_not_read_the_end_is_cut_off() -> None:
    made, transport = await protocol()
    made.close_timeout, made.scope = 0.01, Mock()
    await made.run_asgi()
    assert not transport.aborted
    await asyncio.sleep(0.05)
    assert transport.aborted
