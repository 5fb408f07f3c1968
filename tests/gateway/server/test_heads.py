"""A request whose head is known is answered as one that is read, wherever else its bytes may be."""

import asyncio
import random
import re
from typing import Any

import pytest
from starlette.types import Scope

from services.gateway.server import answering
from services.gateway.server.at_once import Again
from services.gateway.server.heads import Arrival, KnownHeads
from services.gateway.server.whole_answers import WholeAnswer
from tests.gateway.server.test_written_at_once import HANDSHAKE, WRITTEN, Server, get
from tests.processes import until

CHUNKED = b"Transfer-Encoding: chunked"
HERE = Arrival(trusted=False, server=("127.0.0.1", 8000), scheme="http")


@pytest.fixture(autouse=True)
def _every_head_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "getrandbits", lambda bits: 0)


class Told(Server):
    """A server whose answers name their requests: path, fields and, if it was read, the client."""

    def __call__(self, request: Scope, transport: asyncio.WriteTransport) -> Any:
        found = super().__call__(request, transport)
        return _told(request) if isinstance(found, WholeAnswer) else found

    def remember(self, request: Scope) -> Again | None:
        again = super().remember(request)
        return None if again is None else lambda transport: again(transport) and _told(request)


class Forgetful(Told):
    """The same, but it reads each head anew."""

    def remember(self, request: Scope) -> None:
        """Remember nothing."""


def _told(request: Scope) -> WholeAnswer:
    path, fields = request["raw_path"], request["headers"]
    return WholeAnswer(200, b"path: %b\r\nfields: %d\r\n" % (path, len(fields)), b"abc")


def _without_id(written: bytes) -> bytes:
    return re.sub(rb"[0-9a-f]{32}", b"", written)


async def knowing(*heads: bytes, server: Server | None = None) -> Server:
    """A server that knows some heads, by a connection of its own."""
    server = server or Server()
    for head in heads:
        for _ in range(2):
            await server.take(head)
    server.at_once.clear()
    return server


def connection(server: Server) -> Server:
    """Another connection of a server."""
    return type(server)(connections=server.connections)


async def test_a_head_that_came_twice_is_not_read_again() -> None:
    server = Server()
    written = [await server.take(get()) for _ in range(4)]
    assert written == [WRITTEN] * 4
    assert (server.at_once, server.again) == ([b"/", b"/"], [b"/", b"/"])
    assert server.protocol.server_state.total_requests == 4
    assert await server.take(get("/other")) == WRITTEN
    assert server.at_once[-1] == b"/other"


async def test_few_heads_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "getrandbits", random.Random(1).getrandbits)
    server = Server()
    for number in range(800):
        await server.take(get(f"/{number % 400}"))
    assert len(server.again) < 40
    for _ in range(200):
        await server.take(get())
    assert server.again.count(b"/") > 100


@pytest.mark.parametrize("seed", range(60))
async def test_any_stream_of_bytes_is_answered_as_if_no_head_were_known(seed: int) -> None:
    choose = random.Random(seed)
    heads = [get("/"), get("/a"), get("/a", fields="X: y\r\n"), b"\r\n" + get("/b")]
    post = b"POST /app HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n%b"
    others = [
        get("/app"),
        get("/a", fields="Connection: close\r\n"),
        get("/a", version="1.0"),
        get("/a", fields="Content-Length: 0\r\n"),
        post % (b"Content-Length: %d" % len(heads[0]), heads[0]),
        post % (CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(heads[0]), heads[0])),
        post % (CHUNKED, b"0\r\n" + heads[0].partition(b"\r\n")[2]),
        b"\r\n", b"\r\n\r\n", heads[1][:20], heads[1][20:], HANDSHAKE, b"nonsense\r\n\r\n",
    ]  # fmt: skip
    weights = [8] * len(heads) + [1] * len(others)
    stream = choose.choices([*heads, *others], weights, k=30)
    knows, reads = await knowing(*heads, server=Told()), await knowing(*heads, server=Forgetful())
    while stream:
        together, stream = stream[: (n := choose.choice((1, 1, 1, 2, 3)))], stream[n:]
        data = b"".join(together)
        cut = choose.randrange(len(data)) if choose.random() < 0.3 else 0
        for piece in filter(None, (data[:cut], data[cut:])):
            if not knows.wire.closed and not knows.wire.ended and not knows.wire.protocol:
                assert _without_id(await knows.take(piece)) == _without_id(await reads.take(piece))
    assert knows.by_application == reads.by_application
    assert knows.protocol.server_state.total_requests == reads.protocol.server_state.total_requests
    assert (knows.wire.closed, knows.wire.ended) == (reads.wire.closed, reads.wire.ended)
    assert (knows.protocol in knows.connections.waiting) == (
        reads.protocol in reads.connections.waiting
    )


async def test_the_second_half_of_a_head_is_no_head() -> None:
    server = Server()
    head = get()
    for _ in range(3):
        await server.take(head[:20])
        assert await server.take(head[20:]) == WRITTEN
    assert not server.again
    assert b"HTTP/1.1 400" in await server.take(head[20:])


async def test_a_body_with_the_bytes_of_a_known_head_is_no_request() -> None:
    server = await knowing(get())
    head = "POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n"
    assert b"app" in await server.take(head.format(2 * len(get())).encode())
    assert await server.take(get()) == b""
    assert await server.take(get()) == b""
    assert await server.take(get()) == WRITTEN
    assert len(server.again) == 1


async def test_a_head_that_announces_a_body_is_never_known() -> None:
    server = Server()
    head = get(fields="Content-Length: 5\r\n")
    for _ in range(3):
        assert await server.take(head) == WRITTEN
        assert await server.take(b"hello") == b""
    assert not server.again


async def test_empty_lines_before_a_known_head_are_of_its_request() -> None:
    server = await knowing(get())
    await server.take(b"\r\n")
    assert await server.take(get()) == WRITTEN
    server.protocol.close_if_idle()
    assert server.wire.closed


async def test_a_known_head_waits_for_the_answer_to_the_request_before_it() -> None:
    server = await knowing(get())
    server.go.clear()
    server.wire.written = b""
    server.protocol.data_received(get("/app"))
    server.protocol.data_received(get())
    assert server.wire.written == b""
    server.go.set()
    await server.finish()
    assert server.wire.written.endswith(b"app" + WRITTEN)
    assert not server.again


async def test_a_process_that_stops_closes_behind_an_answer_to_a_known_head() -> None:
    server = await knowing(get())
    server.shutdown.begin()
    assert b"connection: close" in await server.take(get())
    assert server.wire.closed


async def test_a_client_that_takes_no_answer_gets_none_to_a_known_head() -> None:
    server = await knowing(get())
    server.protocol.pause_writing()
    server.wire.written = b""
    server.protocol.data_received(get())
    assert (server.again, server.wire.written) == ([], b"")
    server.protocol.resume_writing()
    assert b"app" in await server.take()


async def test_an_option_of_uvicorn_that_refuses_requests_holds_for_known_heads() -> None:
    server = await knowing(get())
    server.protocol.limit_concurrency = 0
    assert b"HTTP/1.1 503" in await server.take(get())


async def test_a_known_head_is_read_if_its_answer_is_gone_or_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = await knowing(get())
    server.forgets = True
    assert await server.take(get()) == WRITTEN
    assert (server.at_once, server.again) == ([b"/"], [b"/"])
    server.fails = True
    assert b"app" in await server.take(get())
    assert server.by_application == [b"/"]


async def test_a_connection_with_nothing_but_known_heads_waits_and_ends_as_others_do() -> None:
    known = await knowing(get())
    first, second = connection(known), connection(known)
    for server in (first, second, first):
        assert await server.take(get()) == WRITTEN
    waiting = list(known.connections.waiting)
    assert waiting.index(first.protocol) > waiting.index(second.protocol)
    assert not first.at_once
    for server in (first, second):
        server.protocol.close_if_idle()
        assert server.wire.closed


async def test_a_connection_with_a_known_head_ends_by_itself() -> None:
    known = await knowing(get(), server=Server(keep_alive=0.01))
    server = connection(known)
    await server.take(get())
    await until(lambda: server.wire.closed)


@pytest.mark.parametrize(
    "other",
    [{"peername": ("192.0.2.2", 4000)}, {"sockname": ("127.0.0.1", 80)}, {"sslcontext": object()}],
)
async def test_a_head_of_another_kind_of_connection_is_not_known(other: dict[str, Any]) -> None:
    arrived: dict[str, Any] = {"peername": ("192.0.2.1", 4000), "sockname": ("127.0.0.1", 8000)}
    known = await knowing(get(), server=Server(trusted="192.0.2.1", **arrived))
    assert await known.take(get()) == WRITTEN
    assert len(known.again) == 1
    for extra, number in ((arrived, 2), ({**arrived, **other}, 2), (arrived, 3)):
        server = Server(connections=known.connections, **extra)
        known.wire = server.wire
        assert await server.take(get()) == WRITTEN
        assert len(known.again) == number


def test_a_head_means_something_else_by_another_arrival() -> None:
    answers: dict[bool, Again] = {trusted: lambda transport: None for trusted in (False, True)}
    known = KnownHeads(lambda request: answers[request["trusted"]])
    for trusted in (False, True):
        for _ in range(2):
            known.note(get(), HERE._replace(trusted=trusted), {"trusted": trusted, "headers": []})
    assert known.find(get(), HERE) is answers[False]
    assert known.find(get(), HERE._replace(trusted=True)) is answers[True]
    assert known.find(get(), HERE._replace(server=("192.0.2.1", 8000))) is None
    assert known.find(get(), HERE._replace(scheme="https")) is None


def test_known_heads_are_bounded_in_number_size_and_fields() -> None:
    known = KnownHeads(lambda request: lambda transport: None)
    heads = [get(f"/{number}") for number in range(3000)]
    for head in (*heads, *heads):
        known.note(head, HERE, {"headers": []})
    assert [known.find(head, HERE) is None for head in heads] == [True] * 1976 + [False] * 1024
    long = get(fields=f"X: {'y' * 3000}\r\n")
    for _ in range(3):
        known.note(long, HERE, {"headers": []})
        known.note(get("/many"), HERE, {"headers": [(b"x", b"y")] * 33})
    assert known.find(long, HERE) is None
    assert known.find(get("/many"), HERE) is None


@pytest.mark.parametrize("data", [get() + get(), get() + b"x", b"\r\n\r\n" + get(), get()[:-2]])
def test_only_bytes_that_are_one_head_are_noted(data: bytes) -> None:
    known = KnownHeads(lambda request: lambda transport: None)
    for _ in range(3):
        known.note(data, HERE, {"headers": []})
    assert known.find(data, HERE) is None
