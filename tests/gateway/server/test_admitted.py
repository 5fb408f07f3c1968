"""Requests that have passed every check are answered in order, and by uvicorn where it must."""

import asyncio

import pytest

from tests.gateway.server.test_written_at_once import WRITTEN, Server, get


def answering() -> Server:
    """A server that has an admitted request under way until its `go`."""
    server = Server()
    server.go.clear()
    server.protocol.data_received(get("/admitted"))
    return server


async def test_an_admitted_request_is_answered_by_one_write_and_the_next_one_follows() -> None:
    server = answering()
    server.protocol.data_received(get("/app"))
    assert server.wire.written == b""
    server.go.set()
    written = await server.take()
    assert written.startswith(WRITTEN)
    assert written.endswith(b"\r\n\r\napp")
    assert server.wire.writes == 3
    assert server.by_application == [b"/app"]
    assert server.protocol.server_state.total_requests == 2
    assert server.protocol in server.connections.waiting


async def test_an_admitted_request_is_answered_by_uvicorn_if_its_client_takes_nothing() -> None:
    server = answering()
    server.protocol.pause_writing()
    server.go.set()
    await asyncio.sleep(0)
    assert server.wire.written == b""
    server.protocol.resume_writing()
    assert (await server.take()).endswith(b"app")


async def test_a_connection_closes_behind_the_answer_to_its_last_request() -> None:
    server = answering()
    server.protocol.shutdown()
    server.go.set()
    written = await server.take()
    assert b"connection: close" in written
    assert server.wire.closed


async def test_nothing_is_written_to_a_client_that_has_left_its_admitted_request() -> None:
    server = answering()
    server.protocol.connection_lost(None)
    server.go.set()
    await server.finish()
    assert server.wire.written == b""


async def test_an_admitted_request_that_fails_is_answered_with_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = answering()
    server.fails = True
    server.go.set()
    assert b"HTTP/1.1 500" in await server.take()
    assert [record for record in caplog.records if record.exc_info]


POST = b"POST /admitted HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


@pytest.mark.parametrize("pieces", [(POST + b"body",), (POST, b"body"), (POST + b"bo", b"dy")])
async def test_a_request_with_a_body_is_admitted_if_all_of_it_is_there(
    pieces: tuple[bytes, ...],
) -> None:
    server = Server()
    for piece in pieces:
        server.protocol.data_received(piece)
    written = await server.take()
    assert (written.startswith(WRITTEN), server.by_application) == (True, [])


@pytest.mark.parametrize("start", [POST, POST + b"bod"])
async def test_the_application_answers_a_request_whose_body_is_not_there_yet(start: bytes) -> None:
    server = Server()
    server.protocol.data_received(start)
    await asyncio.sleep(0)
    assert server.by_application == [b"/admitted"]
    assert server.wire.written.endswith(b"app")


@pytest.mark.parametrize("way", ["refuses", "fails"])
async def test_the_application_answers_a_request_that_is_not_admitted_with_its_body(
    way: str,
) -> None:
    server = Server()
    server.protocol.data_received(POST + b"body")
    setattr(server, way, True)
    written = await server.take()
    assert server.by_application == [b"/admitted"]
    assert written.endswith(b"app")
